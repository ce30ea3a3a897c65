import { randomUUID } from 'node:crypto';
import { isCancellation } from '@temporalio/workflow';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { waitFor } from '../support/wait-for.ts';

/** Far above 250 ms for a loaded machine, far below the heartbeats, one in a minute. */
const SOON = 20_000;

let env: Environment;

beforeAll(async () => {
  env = await startEnvironment({ maxConnections: 2 });
});
afterAll(() => env?.[Symbol.asyncDispose]());

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => Promise.reject(new Error(`resolved with ${JSON.stringify(value)}`)),
    (error: unknown) => error,
  );
}

test('cancelling the workflow closes the socket and ends it Canceled', async () => {
  const handle = await env.patient.submit.get(env.target.url('/hold?a'));
  await env.target.waitFor(({ hits }) => hits.some(({ path }) => path === '/hold?a'));
  const before = performance.now();
  await handle.cancel();
  await env.target.waitFor(
    ({ hits }) => hits.some(({ path, aborted }) => path === '/hold?a' && aborted),
    SOON,
  );
  const closedAfter = performance.now() - before;
  const error = await rejection(handle.result());
  expect(isCancellation(error)).toBe(true);
  expect((await handle.describe()).status.name).toBe('CANCELLED');
  expect(closedAfter).toBeLessThan(SOON);
});

test('an inline call is cancelled with its scope', async () => {
  const workflowId = randomUUID();
  const running = rejection(
    env.run('inlineRequest', [{ url: env.target.url('/hold?b') }, env.taskQueue], workflowId),
  );
  await env.target.waitFor(({ hits }) => hits.some(({ path }) => path === '/hold?b'));
  await env.client.workflow.getHandle(workflowId).cancel();
  await env.target.waitFor(
    ({ hits }) => hits.some(({ path, aborted }) => path === '/hold?b' && aborted),
    SOON,
  );
  expect(await running).toMatchObject({ cause: { name: 'CancelledFailure' } });
});

test('it works also when the worker is full, and on requests that still wait', async () => {
  const held = await Promise.all(
    ['c', 'd'].map((name) => env.patient.submit.get(env.target.url(`/hold?${name}`))),
  );
  await env.target.waitFor(({ inFlight }) => inFlight === 2);
  const waiting = await env.patient.submit.get(env.target.url('/never-sent'));
  await waiting.cancel();
  expect(isCancellation(await rejection(waiting.result()))).toBe(true);

  await Promise.all(held.map((handle) => handle.cancel()));
  await env.target.waitFor(({ inFlight }) => inFlight === 0, SOON);
  await Promise.all(held.map((handle) => rejection(handle.result())));
  expect(env.target.count('/never-sent')).toBe(0);
});

test('a cancel between two tries ends the request', async () => {
  const url = env.target.url(`/flaky/${randomUUID()}/9/503`);
  const handle = await env.patient.submit.get(url, {
    retry: { maximumAttempts: 9, initialInterval: '1h', maximumInterval: '1h' },
  });
  await waitFor(async () => {
    const { raw } = await handle.describe();
    return raw.pendingActivities?.some(({ attempt }) => attempt === 2);
  });
  await handle.cancel();
  const error = await rejection(handle.result());
  expect(isCancellation(error)).toBe(true);
});

test('without a control activity the answer to a heartbeat carries the cancel', async () => {
  const workflowId = randomUUID();
  const args = [env.target.url('/hold?e'), env.taskQueue, '1500ms'];
  const running = rejection(env.run('submitWithoutControl', args, workflowId));
  await env.target.waitFor(({ hits }) => hits.some(({ path }) => path === '/hold?e'));
  await env.client.workflow.getHandle(workflowId).cancel();
  await env.target.waitFor(
    ({ hits }) => hits.some(({ path, aborted }) => path === '/hold?e' && aborted),
    SOON,
  );
  expect(await running).toMatchObject({ cause: { name: 'CancelledFailure' } });
});
