import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { requestError, type RequestSpec, type WireResponse } from '../../src/index.ts';
import { PatientWorker } from '../../src/worker.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { waitFor } from '../support/wait-for.ts';
import { exists, failureOf } from './support/outcomes.ts';
import { startSecondWorker } from './support/second-worker.ts';

/** Long enough for a loaded machine, far below the heartbeat timeout; no test waits for it all. */
const LONG = 60_000;

/** From a workflow of the tests' own worker, which stays when the others go. */
function send(env: Environment, path: string, spec: Partial<RequestSpec> = {}, id?: string) {
  const request = { url: env.target.url(path), ...spec };
  return env.run<WireResponse>('inlineRequest', [request, env.taskQueue], id);
}

const post = { method: 'POST' } as const;

test('responses within shutdownTimeout are delivered by the worker that is shut down', async () => {
  await using env = await startEnvironment({ shutdownTimeout: LONG });
  const paths = ['/hold?1', '/hold?2', '/hold?3'];
  const responses = paths.map((path) => send(env, path));
  await env.target.waitFor(({ inFlight }) => inFlight === 3);
  const stopped = env.worker.shutdown();
  await waitFor(() => env.worker.processor.state === 'stopping');
  env.target.release();
  expect(await stopped).toBe(0);
  const attempts = (await Promise.all(responses)).map(({ status, attempt }) => [status, attempt]);
  expect(attempts).toEqual(Array(3).fill([200, 1]));
  expect(env.target.total).toBe(3);
});

test('longer ones are handed over: another worker has them at once', async () => {
  await using env = await startEnvironment({ shutdownTimeout: 300 });
  const spec = { retry: { maximumAttempts: 1 } };
  const get = send(env, '/hold?get', spec);
  const keyed = send(env, '/hold?keyed', { ...spec, ...post, idempotencyKey: true });
  await env.target.waitFor(({ inFlight }) => inFlight === 2);
  await using _second = await startSecondWorker(env);
  expect(await env.worker.shutdown()).toBe(0);
  const isOpen = ({ aborted }: { aborted: boolean }): boolean => !aborted;
  await env.target.waitFor(
    ({ hits }) => hits.length === 4 && hits.filter(isOpen).length === 2,
    LONG,
  );
  env.target.release();
  expect(await get).toMatchObject({ status: 200, attempt: 1 });
  expect(await keyed).toMatchObject({ status: 200, attempt: 1 });
  const keys = env.target.hits.map(({ headers }) => headers['idempotency-key']).filter(Boolean);
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBe(keys[1]);
  expect(new Set(env.target.hits.map(({ headers }) => headers['x-request-id'])).size).toBe(2);
});

test('a POST that was sent runs on and is delivered', async () => {
  await using env = await startEnvironment({ shutdownTimeout: 0, drainTimeout: LONG });
  const response = send(env, '/hold?post', post);
  await env.target.waitFor(({ inFlight }) => inFlight === 1);
  const stopped = env.worker.shutdown();
  await waitFor(() => env.worker.processor.state === 'stopping');
  env.target.release();
  expect(await stopped).toBe(0);
  expect(await response).toMatchObject({ status: 200 });
  expect(env.target.total).toBe(1);
});

test('at drainTimeout its outcome is unknown, and nobody sends it again', async () => {
  await using env = await startEnvironment({ shutdownTimeout: 0, drainTimeout: 300 });
  const failure = failureOf(send(env, '/hold?post', post));
  await env.target.waitFor(({ inFlight }) => inFlight === 1);
  expect(await env.worker.shutdown()).toBe(1);
  await using _second = await startSecondWorker(env);
  expect(await failure).toMatchObject({ type: 'OutcomeUnknownError', phase: 'sent', attempt: 1 });
  expect(env.target.hits).toMatchObject([{ method: 'POST', aborted: true }]);
});

test('a POST whose connection does not stand yet is handed over', async () => {
  const sockets: Socket[] = [];
  // Accepts, and never says a word of TLS.
  const mute = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
  }).listen(0, '127.0.0.1');
  await once(mute, 'listening');
  await using env = await startEnvironment();
  const url = `https://127.0.0.1:${(mute.address() as AddressInfo).port}`;
  const failure = failureOf(send(env, '', { url, ...post, retry: { maximumAttempts: 1 } }));
  await waitFor(() => sockets.length === 1);
  expect(await env.worker.shutdown()).toBe(0);
  await using _second = await startSecondWorker(env);
  await waitFor(() => sockets.length === 2);
  for (const socket of sockets) socket.destroy();
  expect(await failure).toMatchObject({ phase: 'connect', attempt: 1 });
  mute.close();
  await once(mute, 'close');
});

test('what the open polls of a draining worker still get, it gives back', async () => {
  await using env = await startEnvironment({ maxCrashes: 0 });
  env.worker.processor.drain();
  const workflowId = randomUUID();
  const response = send(env, '/status/200', post, workflowId);
  const handle = env.client.workflow.getHandle(workflowId);
  await waitFor(() => exists(handle));
  await waitFor(async () => {
    const { raw } = await handle.describe();
    return raw.pendingActivities?.some(({ attempt }) => attempt === 2);
  });
  expect(env.target.total).toBe(0);
  await env.worker.shutdown();
  await using _second = await startSecondWorker(env, { maxCrashes: 0 });
  expect(await response).toMatchObject({ status: 200, attempt: 1 });
  expect(env.target.total).toBe(1);
});

test('five of every kind: each ends once', async () => {
  await using env = await startEnvironment({ shutdownTimeout: 1_000, drainTimeout: 2_500 });
  const requests: [path: string, spec?: Partial<RequestSpec>][] = [
    ['/delay/500'],
    ['/delay/600', post],
    ['/delay/1700', post],
    ['/hold?get'],
    ['/hold?post', post],
  ];
  const outcomes = requests.map(([path, spec]) =>
    send(env, path, spec).then(
      ({ status }) => status,
      (error: unknown) => requestError(error)?.type,
    ),
  );
  await env.target.waitFor(({ total }) => total === 5);
  await using _second = await startSecondWorker(env);
  expect(await env.worker.shutdown()).toBe(1);
  await env.target.waitFor(({ hits }) => hits.length === 6 && !hits[5]!.aborted, LONG);
  env.target.release();
  expect(await Promise.all(outcomes)).toEqual([200, 200, 200, 200, 'OutcomeUnknownError']);
  const counts = requests.map(
    ([path]) => env.target.hits.filter((hit) => hit.path === path).length,
  );
  expect(counts).toEqual([1, 1, 1, 2, 1]);
});

test('a request between two tries is taken by another worker', async () => {
  await using env = await startEnvironment();
  const response = send(env, `/flaky/${randomUUID()}/1/503`, {
    retry: { maximumAttempts: 2, initialInterval: '1s' },
  });
  await env.target.waitFor(({ hits }) => hits.length === 1 && hits[0]!.closed);
  await waitFor(() => env.worker.processor.total === 0);
  expect(await env.worker.shutdown()).toBe(0);
  await using _second = await startSecondWorker(env);
  expect(await response).toMatchObject({ status: 200, attempt: 2 });
  expect(env.target.total).toBe(2);
});

test('no number of hand-overs counts as a crash', async () => {
  const HAND_OVERS = 5;
  await using env = await startEnvironment({ maxCrashes: 0 });
  const response = send(env, '/hold');
  await env.target.waitFor(({ hits }) => hits.length === 1);
  await env.worker.shutdown();
  for (let sent = 2; sent <= HAND_OVERS; sent++) {
    await using second = await startSecondWorker(env, { maxCrashes: 0 });
    await env.target.waitFor(({ hits }) => hits.length === sent, LONG);
    await second.worker.shutdown();
  }
  await using _last = await startSecondWorker(env, { maxCrashes: 0 });
  await env.target.waitFor(({ hits }) => hits.length === HAND_OVERS + 1, LONG);
  env.target.release();
  expect(await response).toMatchObject({ status: 200, attempt: 1 });
});

test('a shutdown right after the start ends it', async () => {
  await using env = await startEnvironment();
  for (let i = 0; i < 2; i++) {
    const { worker, ...second } = await startSecondWorker(env);
    expect(await worker.shutdown()).toBe(0);
    expect(worker.processor.state).toBe('stopped');
    await second[Symbol.asyncDispose]();
  }
});

test('shutdown before run: there is nothing to run, and the connection is free', async () => {
  await using env = await startEnvironment();
  const connection = await NativeConnection.connect({ address: env.address });
  const { workflowBundle } = env;
  const worker = await PatientWorker.create({
    connection,
    workflowBundle,
    taskQueue: randomUUID(),
  });
  expect(await worker.shutdown()).toBe(0);
  expect(await worker.run()).toBe(0);
  expect(worker.processor.state).toBe('stopped');
  expect(await worker.shutdown()).toBe(0);
  await connection.close();
});

test('a worker that cannot be made or started leaves the connection free', async () => {
  await using env = await startEnvironment();
  const connection = await NativeConnection.connect({ address: env.address });
  const options = { connection, taskQueue: randomUUID(), workflowBundle: env.workflowBundle };
  // Temporal refuses a second worker for a queue on the same connection.
  const squatter = await Worker.create({
    ...{ connection, taskQueue: `${options.taskQueue}:requests` },
    activities: { nothing: async () => undefined },
  });
  await squatter.runUntil(async () => {
    await expect(PatientWorker.create(options)).rejects.toThrow('multiple workers');
  });

  const worker = await PatientWorker.create({ ...options, redisUrl: 'redis://127.0.0.1:1' });
  await expect(worker.run()).rejects.toThrow(/127\.0\.0\.1:1/);
  expect(worker.processor.state).toBe('stopped');
  await connection.close();
});
