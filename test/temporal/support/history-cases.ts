import { randomUUID } from 'node:crypto';
import { BATCH_HISTORY_CASES } from './batch-history-cases.ts';
import { cancelOnceSent, ended, startUser, type Case } from './history-runs.ts';
import { callbackTo, start } from './outcomes.ts';

/** By `<workflow type>-<case>`. */
export const HISTORY_CASES: Record<string, Case> = {
  ...BATCH_HISTORY_CASES,

  'patientGet-response': (env) => ended(start(env, 'patientGet', env.target.url('/status/200'))),

  'patientGet-failed': (env) =>
    ended(
      start(env, 'patientGet', { url: env.target.url('/status/404'), raiseErrorResponses: true }),
    ),

  'patientGet-refused': (env) =>
    ended(
      start(env, 'patientGet', { ...{ url: 'http://target.test', method: 'POST' }, callback: 'x' }),
    ),

  'patientGet-cancelled': async (env) => {
    const spec = { url: env.target.url('/hold'), callback: callbackTo(env) };
    const handle = await start(env, 'patientGet', spec);
    await cancelOnceSent(env, handle);
    return handle;
  },

  'patientRequest-callback': (env) =>
    ended(
      start(env, 'patientRequest', {
        ...{ url: env.target.url('/status/201'), method: 'POST', json: { a: 1 } },
        ...{ callback: callbackTo(env), callbackArgs: { id: 1 }, result: 'status' },
      }),
    ),

  'patientRequest-callback-by-name': (env) =>
    ended(
      start(env, 'patientRequest', { url: env.target.url('/status/200'), callback: 'rawCallback' }),
    ),

  'patientRequest-signal': async (env) => {
    const workflowId = randomUUID();
    const receiver = env.run('waitForSignal', [], workflowId);
    const callback = { signal: 'delivered', workflowId };
    const spec = { url: env.target.url('/status/200'), callback };
    const handle = await ended(start(env, 'patientRequest', spec));
    await receiver;
    return handle;
  },

  'inlineRequest-response': (env) =>
    ended(startUser(env, 'inlineRequest', [env.target.url('/status/200'), env.taskQueue])),

  'inlineRequest-cancelled': async (env) => {
    const args = [env.target.url('/hold'), env.taskQueue];
    const handle = await startUser(env, 'inlineRequest', args);
    await cancelOnceSent(env, handle);
    return handle;
  },

  'submits-two': (env) => {
    const url = env.target.url('/status/200');
    return ended(
      startUser(env, 'submits', [[url, { url, callback: 'rawCallback' }], env.taskQueue]),
    );
  },
};
