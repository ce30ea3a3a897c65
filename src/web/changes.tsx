import { Hono, type Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Child } from 'hono/jsx';
import { checkFlowChange, typedLimits } from '../config/flow-change.ts';
import type { Fleet } from '../fleet/port.ts';
import type { Log } from '../shared/log.ts';
import type { RequestKey } from '../shared/request-key.ts';
import type { Access } from './access.ts';
import type { Desk } from './desk.tsx';
import type { MessageId } from './languages.ts';
import { askCancel, askChange, askClear, askDrain, askRedrive } from './pages/questions.tsx';
import type { TemporalSide } from './port.ts';
import type { Questions } from './questions.ts';
import { readKey } from './pages/given-key.ts';
import type { View } from './view/view.ts';

export interface ChangeOptions {
  desk: Desk;
  access: Access;
  ask: Questions;
  fleet: Fleet;
  temporal: TemporalSide;
  log: Log;
}

type Form = Record<string, string>;

interface Change {
  path: string;
  /** Where one is afterwards. */
  back: string;
  /** The page that asks first. Undefined from it: what it is about is not there any more. */
  question?: { title: MessageId; draw: (view: View) => Promise<Child | undefined> };
  /** Resolves with what the next page is to know. */
  run: (form: Form) => Promise<Record<string, string> | void>;
}

/** Bytes of a form. */
const MAX_FORM = 64 * 1024;

/** What can be done, each as a page that asks (GET) and a change (POST). */
export function changeRoutes(options: ChangeOptions): Hono {
  const { desk, access, ask, log } = options;
  const app = new Hono();
  for (const { path, back, question, run } of changesOf(options)) {
    const problem = (context: Context, status: 403 | 404, reason: MessageId) =>
      desk.problem(context, status, desk.view(context).t.text(reason), back);
    if (question) {
      app.get(path, async (context) => {
        if (!access.canChange) return problem(context, 403, 'problem.readOnly');
        const content = await question.draw(desk.view(context));
        if (content === undefined) return problem(context, 404, 'problem.gone');
        return desk.document(context, question.title, content);
      });
    }
    app.post(path, bodyLimit({ maxSize: MAX_FORM }), async (context) => {
      try {
        const form = textsOf(await context.req.parseBody());
        const refusal = access.refuseChange(context.req.raw.headers, form['token']);
        if (refusal === 'read-only') return problem(context, 403, 'problem.readOnly');
        if (refusal !== undefined) return problem(context, 403, 'problem.forged');
        const news = await run(form);
        // What was done, never what was typed: a token is among it.
        const subject = form['key'] ?? form['process'];
        log.info('Changed from the dashboard', { path, subject, ...news });
        ask.forget();
        const query = new URLSearchParams({ done: path, ...news });
        return context.redirect(`${back}?${query}`, 303);
      } catch (error) {
        const isInput = error instanceof TypeError || error instanceof SyntaxError;
        return desk.problem(context, isInput ? 400 : 502, reasonOf(error), back);
      }
    });
  }
  return app;
}

function changesOf({ fleet, temporal }: ChangeOptions): Change[] {
  return [
    {
      path: '/requests/cancel',
      back: '/requests',
      question: { title: 'confirm.cancel', draw: askCancel },
      async run({ key = '' }) {
        const answer = await fleet.cancel(requestKeyOf(key));
        return answer === 'flagged' ? { done: answer } : undefined;
      },
    },
    {
      path: '/flow/pause',
      back: '/flow',
      run: ({ key = '' }) => fleet.flow.pause(checkedKey(key)),
    },
    {
      path: '/flow/resume',
      back: '/flow',
      run: ({ key = '' }) => fleet.flow.resume(checkedKey(key)),
    },
    {
      path: '/flow/change',
      back: '/flow',
      question: { title: 'action.change', draw: askChange },
      run: ({ key = '', clear, ...limits }) =>
        fleet.flow.set(key, clear === undefined ? limitsOf(key, limits) : undefined),
    },
    {
      path: '/failures/redrive',
      back: '/failures',
      question: { title: 'confirm.redrive', draw: askRedrive },
      async run({ key = '' }) {
        const { workflowId, runId, index } = requestKeyOf(key);
        if (index !== undefined)
          throw new TypeError('key: one of a batch is not started again alone');
        return { workflow: await temporal.redrive(workflowId, runId) };
      },
    },
    {
      path: '/processes/drain',
      back: '/processes',
      question: { title: 'confirm.drain', draw: askDrain },
      run: ({ process = '' }) => fleet.drain(process),
    },
    {
      path: '/statistics/clear',
      back: '/',
      question: { title: 'confirm.clear', draw: askClear },
      run: () => fleet.clearStatistics(),
    },
  ];
}

/** @throws TypeError for what is none */
function requestKeyOf(text: string): RequestKey {
  const key = readKey(text);
  if (key) return key;
  throw new TypeError(`key: expected that of a request, got ${JSON.stringify(text)}`);
}

/** A client's own message says what it tried; its cause why that failed. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`;
}

function checkedKey(key: string): string {
  checkFlowChange(key, {});
  return key;
}

/** An empty field sets nothing. */
function limitsOf(key: string, { rate, period, burst, concurrency }: Form) {
  const given = Object.entries({ rate, period, burst, concurrency });
  const filled = given.filter((entry): entry is [string, string] => Boolean(entry[1]));
  return checkFlowChange(key, typedLimits(Object.fromEntries(filled)));
}

function textsOf(body: Record<string, string | File | (string | File)[]>): Form {
  const texts = Object.entries(body).filter((entry) => typeof entry[1] === 'string');
  return Object.fromEntries(texts) as Form;
}
