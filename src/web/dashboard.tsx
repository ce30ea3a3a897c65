import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { HTTPException } from 'hono/http-exception';
import type { Fleet } from '../fleet/port.ts';
import type { Log } from '../shared/log.ts';
import { Access, type Credentials } from './access.ts';
import { changeRoutes } from './changes.tsx';
import { Desk } from './desk.tsx';
import { FailedLogins } from './failed-logins.ts';
import { streamRegions, type Drawn } from './live.ts';
import { Memo } from './memo.ts';
import { batches } from './pages/batches.tsx';
import { failures } from './pages/failures.tsx';
import { flow } from './pages/flow.tsx';
import { overview } from './pages/overview.tsx';
import { processes } from './pages/processes.tsx';
import { requests } from './pages/requests.tsx';
import type { TemporalSide } from './port.ts';
import { Questions, SHARED_FOR } from './questions.ts';
import { assetRoutes, secured } from './shell.ts';
import type { Page, View } from './view/view.ts';

export interface DashboardOptions {
  fleet: Fleet;
  temporal: TemporalSide;
  namespace: string;
  taskQueue: string;
  /** Of Temporal's UI, for links into it. */
  temporalUi: string | undefined;
  /** Undefined: read-only, and only for this machine. */
  credentials: Credentials | undefined;
  log: Log;
}

const PAGES: readonly Page[] = [overview, requests, flow, batches, failures, processes];

/** The cookie of a browser that has signed in. */
const MARK = 'patient-known';
/** s */
const MONTH = 30 * 24 * 60 * 60;

/** Pages for operators: what is in flight, what it is stuck on, and what can be done about it. */
export function createDashboard(options: DashboardOptions): Hono {
  const { fleet, temporal, credentials, log } = options;
  const access = new Access(credentials);
  const ask = new Questions(fleet, temporal);
  const desk = new Desk({ ...options, pages: PAGES, ask, access });
  const drawn = new Memo();
  const logins = new FailedLogins();
  const app = new Hono();

  app.use(secured);
  app.use(async (context, next) => {
    const address = addressOf(context);
    const isKnown = access.isKnown(getCookie(context, MARK));
    const wait = address === undefined ? 0 : logins.wait(address, isKnown);
    if (wait > 0) {
      context.header('retry-after', String(wait));
      return context.text(`Too many failed sign-ins; try again in ${wait} s`, 429);
    }
    const refusal = access.refuse(context.req.raw.headers);
    if (refusal === 'host') return context.text('Expected a name of this machine as the host', 403);
    if (refusal === undefined) {
      if (access.mark !== undefined && !isKnown) {
        const options = { path: '/', sameSite: 'Lax', httpOnly: true, maxAge: MONTH } as const;
        setCookie(context, MARK, access.mark, options);
      }
      return next();
    }
    // A browser asks without credentials first.
    if (address !== undefined && context.req.header('authorization')) {
      logins.count(address, isKnown);
    }
    context.header('www-authenticate', 'Basic realm="Patient HTTP", charset="UTF-8"');
    return context.text(desk.view(context).t.text('problem.signIn'), 401);
  });

  for (const page of PAGES) {
    app.get(page.path, async (context) => {
      const view = desk.view(context);
      const regions = await page.regions(view);
      const content = (
        <>
          <h1>{view.t.text(page.title)}</h1>
          {regions.map((region) => (
            <section id={region.id}>{region.content}</section>
          ))}
        </>
      );
      const live = `/live${view.url.pathname}${view.url.search}`;
      return desk.document(context, page.title, content, { live });
    });
    app.get(`/live${page.path}`, (context) => {
      const url = new URL(context.req.url);
      url.pathname = page.path;
      const view = desk.view(context, url);
      const name = `${view.t.language} ${url.pathname}${url.search}`;
      return streamRegions(context, () => drawn.get(name, SHARED_FOR, () => draw(page, view)));
    });
  }

  app.route('/', assetRoutes());
  app.route('/', changeRoutes({ desk, access, ask, fleet, temporal, log }));
  app.onError((error, context) => {
    if (error instanceof HTTPException) return error.getResponse();
    log.error('A page of the dashboard could not be made', { path: context.req.path, error });
    return context.text('That did not work: see the log', 500);
  });
  app.all('*', (context) => {
    return desk.problem(context, 404, desk.view(context).t.text('problem.notFound'), '/');
  });
  return app;
}

/** Of the connection; undefined where a test asks without one. */
function addressOf({ env }: Context): string | undefined {
  const { incoming }: Partial<HttpBindings> = env ?? {};
  return incoming?.socket.remoteAddress;
}

async function draw(page: Page, view: View): Promise<Drawn> {
  const regions = (await page.regions(view)).filter(({ still }) => !still);
  return new Map(regions.map(({ id, content }) => [id, String(<>{content}</>)]));
}
