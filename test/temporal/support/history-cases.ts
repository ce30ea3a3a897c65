import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { Environment } from '../../support/environment.ts';
import { waitFor } from '../../support/wait-for.ts';
import { callbackTo, rejection, start } from './outcomes.ts';

type Case = (env: Environment) => Promise<WorkflowHandle>;

/** Each runs a workflow to its end. The name is `<workflow type>-<case>`. */
export const HISTORY_CASES: Record<string, Case> = {
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

function startUser(env: Environment, type: string, args: unknown[]): Promise<WorkflowHandle> {
  const { userQueue: taskQueue } = env;
  return env.client.workflow.start(type, { taskQueue, workflowId: randomUUID(), args });
}

async function ended<H extends WorkflowHandle>(starting: Promise<H>): Promise<H> {
  const handle = await starting;
  await handle.result().catch(() => undefined);
  return handle;
}

async function cancelOnceSent(env: Environment, handle: WorkflowHandle): Promise<void> {
  await waitFor(async () => {
    const { raw } = await handle.describe();
    return raw.pendingActivities?.length === 1 && env.target.inFlight > 0;
  });
  await handle.cancel();
  await rejection(handle.result());
}
