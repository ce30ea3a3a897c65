import { afterAll, beforeAll, expect, test } from 'vitest';
import { requestError } from '../../src/index.ts';
import { openFleet } from '../../src/fleet/open.ts';
import type { Fleet as FleetPort } from '../../src/fleet/port.ts';
import { fleetKeysOf } from '../../src/fleet/redis-keys.ts';
import { RedisConnection } from '../../src/liveness/redis-connection.ts';
import { keysOf } from '../../src/liveness/redis-keys.ts';
import type { RunningProcess } from '../cli/process.ts';
import { startFleet, type Fleet } from '../redis/fleet.ts';
import { waitFor } from '../support/wait-for.ts';

let workers: Fleet;
let fleet: FleetPort & AsyncDisposable;
const processes: RunningProcess[] = [];

beforeAll(async () => {
  // A lease that outlives a process that is stopped for a while.
  workers = await startFleet({ env: { PATIENT_LEASE_TTL: '10s', PATIENT_MAX_CONNECTIONS: '20' } });
  processes.push(...(await Promise.all([workers.worker(), workers.worker()])));
  fleet = await openFleet({ redisUrl: workers.redis.url, taskQueue: workers.taskQueue });
});
afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await workers?.[Symbol.asyncDispose]();
});

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => Promise.reject(new Error('It did not fail')),
    (error: unknown) => error,
  );

test('both processes are seen, and the requests of both, as they are asked for', async () => {
  const { target, patient } = workers;
  // Each describes itself with the next renewal of its lease.
  await expect
    .poll(() => fleet.processes())
    .toMatchObject([
      { state: 'running', maxConnections: 20 },
      { state: 'running', maxConnections: 20 },
    ]);
  const paths = Array.from({ length: 30 }, (_, i) => `/hold?secret=${i}`);
  const handles = await Promise.all(paths.map((path) => patient.submit.get(target.url(path))));
  await target.waitFor(({ inFlight }) => inFlight === 30);

  // A process of a busy machine may take longer than a page waits for it.
  const page = await waitFor(async () => {
    const found = await fleet.requests({ text: 'HOLD' });
    return found.silent.length === 0 && found;
  });
  expect(page).toMatchObject({ matched: 30, total: 30, silent: [] });
  expect(new Set(page.rows.map(({ process }) => process)).size).toBe(2);
  const ages = page.rows.map(({ age }) => age);
  expect(ages).toEqual(ages.toSorted((a, b) => b - a));
  expect(page.rows[0]).toMatchObject({
    ...{ method: 'GET', host: new URL(target.url()).host, path: '/hold' },
    ...{ phase: 'sent', bytes: 0, attempt: 1 },
  });
  expect(JSON.stringify(page)).not.toContain('secret');

  const { process } = page.rows[0]!;
  const own = page.rows.filter((row) => row.process === process).length;
  const first = await fleet.requests({ process, limit: 3, reverse: true });
  expect(first).toMatchObject({ matched: own, total: own });
  expect(first.rows).toHaveLength(3);
  expect(first.rows[0]!.age).toBeLessThanOrEqual(first.rows[2]!.age);
  const [asked] = handles;
  expect(await fleet.requests({ text: asked!.requestId })).toMatchObject({ matched: 1 });
  expect(await fleet.requests({ phase: 'queued' })).toMatchObject({ matched: 0, total: 30 });

  target.release();
  await Promise.all(handles.map((handle) => handle.result()));
});

test('a message that nobody can read ends no process', async () => {
  const { redis, taskQueue } = workers;
  const { prefix } = keysOf('default', taskQueue);
  const { id } = (await fleet.processes())[0]!;
  await RedisConnection.visit(redis.url, async (connection) => {
    for (const text of ['no JSON', 'null', '{"kind":"requests"}', '{"kind":"unheard of"}']) {
      const heard = await connection.redis.publish(fleetKeysOf(prefix).channel(id), text);
      expect(heard).toBe(1);
    }
  });
  await expect.poll(() => fleet.requests({ process: id })).toMatchObject({ silent: [] });
});

test('a stopped process is named, and delays a page by a second', async () => {
  const { target, patient } = workers;
  const handles = await Promise.all(
    Array.from({ length: 25 }, () => patient.submit.get(target.url('/hold'))),
  );
  await target.waitFor(({ inFlight }) => inFlight === 25);
  const before = await waitFor(async () => {
    const found = await fleet.requests({});
    return found.total === 25 && found.silent.length === 0 && found;
  });
  const [stopped] = processes;
  stopped!.kill('SIGSTOP');
  try {
    // On a busy machine another one can be silent for once.
    const page = await waitFor(async () => {
      const asked = performance.now();
      const found = await fleet.requests({});
      // It is not the ten seconds of its lease.
      expect(performance.now() - asked).toBeLessThan(9_000);
      return found.silent.length === 1 && found;
    });
    expect(page.silent[0]).toContain(String(stopped!.pid));
    const others = before.rows.filter((row) => row.process !== page.silent[0]);
    expect(page.rows.map(({ requestId }) => requestId)).toEqual(
      others.map(({ requestId }) => requestId),
    );
  } finally {
    stopped!.kill('SIGCONT');
  }
  await waitFor(async () => (await fleet.requests({})).total === 25);
  target.release();
  await Promise.all(handles.map((handle) => handle.result()));
});

test('a cancel closes the socket, and the request fails as cancelled at once', async () => {
  const { target, patient } = workers;
  const handle = await patient.submit.get(target.url('/hold?cancel'));
  await target.waitFor(({ inFlight }) => inFlight === 1);
  const row = await waitFor(async () => {
    return (await fleet.requests({ text: handle.requestId })).rows[0];
  });
  const asked = performance.now();
  await fleet.cancel(row.key);
  await target.waitFor(({ inFlight }) => inFlight === 0);
  const error = requestError(await failure(handle.result()));
  expect(performance.now() - asked).toBeLessThan(60_000);
  expect(error).toMatchObject({ type: 'CancelledError', phase: 'sent', attempt: 1 });
  expect((await handle.describe()).status.name).toBe('FAILED');
  const failures = await waitFor(async () => {
    const found = await fleet.failures(1);
    return found[0]?.requestId === handle.requestId && found;
  });
  expect(failures).toMatchObject([
    { type: 'CancelledError', method: 'GET', path: '/hold', key: row.key, attempt: 1 },
  ]);
});

test("an item of a batch is cancelled, and the others' outcomes stay", async () => {
  const { target, patient } = workers;
  const handle = await patient.submitBatch({
    requests: [target.url('/hold?0'), target.url('/hold?1'), target.url('/status/201')],
  });
  await target.waitFor(({ inFlight }) => inFlight === 2);
  const item = await waitFor(async () => {
    const { rows } = await fleet.requests({ text: handle.workflowId });
    return rows.find(({ key }) => key.index === 1);
  });
  expect(item.requestId).toMatch(/\/1$/);
  await fleet.cancel(item.key);
  await target.waitFor(({ inFlight }) => inFlight === 1);
  target.release();
  expect(await handle.result()).toMatchObject({
    outcomes: [
      { response: { status: 200 } },
      { error: { type: 'CancelledError' } },
      { response: { status: 201 } },
    ],
  });
});

test('a drained process finishes what it has and exits by itself', async () => {
  const { target, patient } = workers;
  const leaving = await workers.worker({
    PATIENT_SHUTDOWN_TIMEOUT: '20s',
    PATIENT_DRAIN_TIMEOUT: '20s',
  });
  await expect(fleet.drain('nobody')).rejects.toThrow('process: nobody is not there');
  const { id } = (await fleet.processes()).find(({ pid }) => pid === leaving.pid)!;
  const handles = await Promise.all(
    Array.from({ length: 30 }, () => patient.submit.get(target.url('/hold'))),
  );
  await target.waitFor(({ inFlight }) => inFlight === 30);
  await waitFor(async () => (await fleet.requests({ process: id })).matched > 0);
  await fleet.drain(id);
  await waitFor(async () => {
    const found = (await fleet.requests({ process: id })).silent.length === 0;
    const state = (await fleet.processes()).find((each) => each.id === id)?.state;
    return found && state !== 'running';
  });
  target.release();
  expect(await leaving.end()).toMatchObject({ code: 0 });
  await Promise.all(handles.map((handle) => handle.result()));
  expect((await fleet.processes()).map((each) => each.id)).not.toContain(id);
});
