import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { isLocal, isOurOwn } from '../web/access.ts';
import { streamRegions } from '../web/live.ts';
import { assetRoutes, secured } from '../web/shell.ts';
import { PlaygroundPage, Sides, type Place } from './page.tsx';
import { DEFAULT_ROUND, roundSchema } from './round.ts';
import { BusyError, type Rounds } from './rounds.ts';

/** ms between two updates. */
const PACE = 500;
/** Bytes of a form. */
const MAX_FORM = 4 * 1024;

export interface PlaygroundOptions extends Place {
  rounds: Pick<Rounds, 'figures' | 'isRunning' | 'fire' | 'stop'>;
}

/** A page to fire calls from. It is for who sits at this machine: there is no sign-in. */
export function createPlayground({ rounds, ...place }: PlaygroundOptions): Hono {
  const app = new Hono();
  app.use(secured);
  app.use(async (context, next) => {
    const { headers } = context.req.raw;
    if (!isLocal(headers.get('host') ?? null)) {
      return context.text('Expected a name of this machine as the host', 403);
    }
    if (context.req.method === 'POST' && !isOurOwn(headers)) {
      return context.text('Expected a form of this page', 403);
    }
    return next();
  });
  app.use(bodyLimit({ maxSize: MAX_FORM }));

  const page = (
    context: Context,
    fields: Record<string, string>,
    problem?: { text: string; status: ContentfulStatusCode },
  ) => {
    const { figures, isRunning } = rounds;
    const props = { ...place, fields, figures, isRunning, problem: problem?.text };
    return context.html(
      `<!doctype html>${(<PlaygroundPage {...props} />)}`,
      problem?.status ?? 200,
    );
  };

  app.get('/', (context) => page(context, { ...defaults(), ...context.req.query() }));

  app.get('/live', (context) =>
    streamRegions(
      context,
      async () => {
        const { maxConnections } = place;
        const sides = <Sides figures={rounds.figures} maxConnections={maxConnections} />;
        return new Map([['sides', String(sides)]]);
      },
      { pace: PACE },
    ),
  );

  app.post('/fire', async (context) => {
    const fields = textsOf(await context.req.parseBody());
    const parsed = roundSchema.safeParse(fields);
    if (!parsed.success) {
      const text = parsed.error.issues.map(({ message }) => message).join('; ');
      return page(context, fields, { text, status: 400 });
    }
    try {
      await rounds.fire(parsed.data);
    } catch (error) {
      if (!(error instanceof BusyError)) throw error;
      return page(context, fields, { text: error.message, status: 409 });
    }
    // What was typed stays in the form.
    return context.redirect(`/?${new URLSearchParams(fields)}`, 303);
  });

  app.post('/stop', async (context) => {
    const fields = textsOf(await context.req.parseBody());
    await rounds.stop();
    return context.redirect(`/?${new URLSearchParams(fields)}`, 303);
  });

  app.route('/', assetRoutes());
  return app;
}

function defaults(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(DEFAULT_ROUND).map(([name, value]) => [name, String(value)]),
  );
}

/** The fields of the form, as they were typed. */
function textsOf(form: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.keys(DEFAULT_ROUND).flatMap((name) => {
      const value = form[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}
