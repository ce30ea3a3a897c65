import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { callbackOf, start } from './support/outcomes.ts';

/** More than the 2,000 children that Temporal lets a workflow have. */
const MANY = 2_050;
/** In several parts. */
const SIGNALS = 450;

let env: Environment;
beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(() => env?.[Symbol.asyncDispose]());

test('a batch ends though none of its thousands of callbacks does', async () => {
  const workflowId = randomUUID();
  // No worker has this queue.
  const callback = { workflow: 'rawCallback', taskQueue: randomUUID() };
  const requests = Array.from({ length: MANY }, (_, i) => env.target.url(`/status/200?${i}`));
  const batch = { requests, defaults: { callback }, keep: 'none', chunkSize: 1_000 };
  const handle = await start(env, 'patientBatch', batch, workflowId);
  expect(await handle.result()).toEqual({ succeeded: MANY, failed: 0 });
  const callbacks = requests.map((_, i) =>
    callbackOf(env.client, workflowId, `${handle.firstExecutionRunId}:${i}`),
  );
  // Each is there; what is not cannot be ended.
  for (let i = 0; i < MANY; i += 100) {
    await Promise.all(
      callbacks.slice(i, i + 100).map((each) => each.terminate('the test is over')),
    );
  }
}, 240_000);

test('hundreds of signals', async () => {
  const receiver = await env.client.workflow.start('manySignals', {
    taskQueue: env.userQueue,
    workflowId: randomUUID(),
    args: [SIGNALS],
  });
  const callback = { signal: 'delivered', workflowId: receiver.workflowId };
  const requests = Array.from({ length: SIGNALS }, (_, i) => ({
    url: env.target.url('/status/200'),
    callbackArgs: i,
  }));
  const batch = { requests, defaults: { callback }, keep: 'none', chunkSize: 1_000 };
  const handle = await start(env, 'patientBatch', batch);
  expect(await handle.result()).toEqual({ succeeded: SIGNALS, failed: 0 });
  expect(new Set(await receiver.result())).toEqual(new Set(requests.map((_, i) => i)));
}, 240_000);
