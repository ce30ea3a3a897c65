import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RequestSpec, WireResponse } from '../../src/index.ts';
import { start, type RunningProcess } from '../cli/process.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { failureOf } from '../temporal/support/outcomes.ts';

/** A process is missed after this; it takes another moment to have the next one take over. */
const HEARTBEAT_TIMEOUT = 2_000;
const NOTICED = 60_000;

/** Its own worker runs the workflows: only the requests' owners are killed. */
let env: Environment;

beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(() => env?.[Symbol.asyncDispose]());

async function startWorker(taskQueue: string, maxCrashes = 3): Promise<RunningProcess> {
  const worker = start(['dist/src/cli/main.js', 'worker'], {
    TEMPORAL_ADDRESS: env.address,
    PATIENT_TASK_QUEUE: taskQueue,
    PATIENT_MAX_CRASHES: String(maxCrashes),
    PATIENT_ALLOW_PRIVATE_ADDRESSES: 'true',
    PATIENT_SHUTDOWN_TIMEOUT: '0s',
  });
  await worker.prints('worker ready');
  return worker;
}

function send(taskQueue: string, path: string, spec: Partial<RequestSpec> = {}) {
  const request = { url: env.target.url(path), heartbeatTimeout: HEARTBEAT_TIMEOUT, ...spec };
  return env.run<WireResponse>('inlineRequest', [request, taskQueue]);
}

function hits(path: string) {
  return env.target.hits.filter((hit) => hit.path === path);
}

/** Resolves once the request has arrived so many times, the last of them still unanswered. */
function held(path: string, times: number): Promise<void> {
  return env.target.waitFor(
    () => hits(path).length === times && !hits(path)[times - 1]!.closed,
    NOTICED,
  );
}

test('a killed process: what may be sent again is, of the rest the outcome is unknown', async () => {
  const taskQueue = `crash-${randomUUID()}`;
  const [get, post, keyed] = ['get', 'post', 'keyed'].map((name) => `/hold?${name}-${taskQueue}`);
  await using victim = await startWorker(taskQueue);
  const responses = [
    send(taskQueue, get!),
    send(taskQueue, keyed!, { method: 'POST', json: { amount: 1 }, idempotencyKey: true }),
  ];
  const failure = failureOf(send(taskQueue, post!, { method: 'POST', json: { amount: 2 } }));
  await Promise.all([held(get!, 1), held(keyed!, 1), held(post!, 1)]);

  victim.kill('SIGKILL');
  await using _heir = await startWorker(taskQueue);
  expect(await failure).toMatchObject({
    type: 'OutcomeUnknownError',
    phase: 'sent',
    message: expect.stringContaining('may have been sent'),
  });
  await Promise.all([held(get!, 2), held(keyed!, 2)]);
  env.target.release();
  // A try that nobody saw the end of is none of the policy's: the numbers go on where they were.
  expect(await Promise.all(responses)).toMatchObject([
    { status: 200, attempt: 1 },
    { status: 200, attempt: 1 },
  ]);
  expect(hits(post!)).toHaveLength(1);
  const [first, second] = hits(keyed!);
  expect(first!.headers['idempotency-key']).toBeTruthy();
  expect(second!.headers['idempotency-key']).toBe(first!.headers['idempotency-key']);
  expect(second!.headers['x-request-id']).toBe(first!.headers['x-request-id']);
  expect(second!.body).toBe(first!.body);
});

test('a request that every process dies of is given up after maxCrashes, and not before', async () => {
  const MAX_CRASHES = 1;
  const taskQueue = `crash-${randomUUID()}`;
  const path = `/hold?${taskQueue}`;
  const failure = failureOf(send(taskQueue, path));
  for (let crashes = 0; crashes <= MAX_CRASHES; crashes++) {
    await using victim = await startWorker(taskQueue, MAX_CRASHES);
    await held(path, crashes + 1);
    victim.kill('SIGKILL');
    await victim.end();
  }
  await using _last = await startWorker(taskQueue, MAX_CRASHES);
  expect(await failure).toMatchObject({
    type: 'OutcomeUnknownError',
    message: expect.stringContaining(`${MAX_CRASHES + 1} processes`),
  });
  expect(hits(path)).toHaveLength(MAX_CRASHES + 1);
});
