import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { NativeConnection } from '@temporalio/worker';
import { expect, inject, test } from 'vitest';
import { healthRoutes } from '../../src/web/health.ts';
import { PatientWorker } from '../../src/worker.ts';
import { startEnvironment } from '../support/environment.ts';
import { startRedis } from '../support/redis.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';

const LONG = 60_000;
const listen = '127.0.0.1:0';

async function probe(worker: PatientWorker, path: string): Promise<[number, object]> {
  const response = await fetch(`${worker.url}${path}`);
  return [response.status, (await response.json()) as object];
}

test('without the option nothing listens', async () => {
  await using env = await startEnvironment();
  expect(env.worker.url).toBeUndefined();
});

test('ready while it runs, not from the drain on, and there until its end', async () => {
  await using env = await startEnvironment({ listen, shutdownTimeout: LONG });
  const { worker, target } = env;
  expect(worker.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  await waitFor(async () => (await probe(worker, '/readyz'))[0] === 200);

  const url = target.url('/hold');
  const response = env.run('inlineRequest', [{ url }, env.taskQueue]);
  await target.waitFor(({ inFlight }) => inFlight === 1);
  expect(await probe(worker, '/readyz')).toEqual([
    200,
    { ready: true, state: 'running', inFlight: 1 },
  ]);
  expect((await fetch(`${worker.url}/other`)).status).toBe(404);
  expect((await fetch(`${worker.url}/readyz`)).headers.get('cache-control')).toBe('no-store');

  const stopped = worker.shutdown();
  await waitFor(() => worker.processor.state === 'stopping');
  const during = { state: 'stopping', inFlight: 1 };
  expect(await probe(worker, '/readyz')).toEqual([503, { ready: false, ...during }]);
  expect(await probe(worker, '/healthz')).toEqual([200, { healthy: true, ...during }]);

  target.release();
  expect(await stopped).toBe(0);
  expect(await response).toMatchObject({ status: 200 });
  expect(worker.url).toBeUndefined();
});

test('not ready while it starts; Redis away is told, and is no failure', async () => {
  await using redis = await startRedis();
  await using proxy = await startTcpProxy(redis.port);
  const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
  const worker = await PatientWorker.create({
    ...{ connection, listen, taskQueue: 'health', shutdownTimeout: 0, drainTimeout: 0 },
    ...{ redisUrl: `redis://127.0.0.1:${proxy.port}`, leaseTtl: LONG },
  });
  process.kill(redis.pid, 'SIGSTOP');
  const running = worker.run();
  await waitFor(() => worker.url);
  expect(await probe(worker, '/readyz')).toEqual([
    503,
    { ready: false, state: 'starting', inFlight: 0, redisUsable: false },
  ]);
  expect((await probe(worker, '/healthz'))[0]).toBe(200);

  process.kill(redis.pid, 'SIGCONT');
  await waitFor(async () => (await probe(worker, '/readyz'))[0] === 200);
  const usable = { ready: true, state: 'running', inFlight: 0, redisUsable: true };
  expect(await probe(worker, '/readyz')).toEqual([200, usable]);

  proxy.cut();
  const away = { ...usable, redisUsable: false };
  await expect.poll(() => probe(worker, '/readyz')).toEqual([200, away]);
  proxy.restore();
  await expect.poll(() => probe(worker, '/readyz')).toEqual([200, usable]);

  await worker.shutdown();
  await running;
  await connection.close();
});

test('a Temporal worker that has failed is no health', async () => {
  const source = { state: 'running', inFlight: 0, ready: false, redisUsable: undefined };
  const app = healthRoutes({ ...source, failed: true });
  const statuses = ['/healthz', '/readyz'].map(async (path) => (await app.request(path)).status);
  expect(await Promise.all(statuses)).toEqual([503, 503]);
});

test('a port that is taken ends the worker with one clear error', async () => {
  const taken = createServer();
  await once(taken.listen(0, '127.0.0.1'), 'listening');
  const { port } = taken.address() as AddressInfo;
  const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
  const address = `127.0.0.1:${port}`;
  const worker = await PatientWorker.create({ connection, listen: address, taskQueue: 'taken' });
  await expect(worker.run()).rejects.toThrow(
    `listen: cannot listen on ${address}: listen EADDRINUSE`,
  );
  await connection.close();
  await once(taken.close(), 'close');
});
