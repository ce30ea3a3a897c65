import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { requestError } from '../../src/index.ts';
import type { RequestHandle } from '../../src/client.ts';
import type { FleetProcess } from '../../src/fleet/port.ts';
import { run } from '../cli/process.ts';
import { LEASE_TTL, startFleet, type Fleet } from './fleet.ts';

/** Found by the lease, not by the heartbeat timeout of three minutes. */
const RECOVERED = LEASE_TTL + 60_000;

function hits(fleet: Fleet, path: string): number {
  return fleet.target.hits.filter((hit) => hit.path === path).length;
}

async function held(fleet: Fleet, count: number): Promise<RequestHandle[]> {
  const handles = await Promise.all(
    Array.from({ length: count }, () => fleet.patient.submit.get(fleet.target.url('/hold'))),
  );
  await fleet.target.waitFor(({ inFlight }) => inFlight === count, 60_000);
  return handles;
}

test('one of two workers is killed: its GETs run again on the other, its POSTs do not', async () => {
  await using fleet = await startFleet();
  const { patient, target } = fleet;
  const victim = await fleet.worker();
  const gets = await held(fleet, 38);
  const path = `/hold?${randomUUID()}`;
  const post = await patient.submit.post(target.url(path), { json: { amount: 1 } });
  const keyed = await patient.submit.post(target.url('/hold?keyed'), {
    json: {},
    idempotencyKey: 'order-1',
  });
  await target.waitFor(({ inFlight }) => inFlight === 40);
  await fleet.worker();

  const killed = performance.now();
  victim.kill('SIGKILL');
  const error = requestError(await post.result().catch((failure: unknown) => failure));
  expect(error).toMatchObject({ type: 'OutcomeUnknownError', phase: 'sent' });
  expect(error?.message).toMatch(/may have been sent between \d{4}-.*Z and \d{4}-.*Z, but/);
  // With an idempotency key the target can tell, so the request is sent again with the same key.
  await target.waitFor(({ inFlight }) => inFlight === 39, RECOVERED);
  expect(performance.now() - killed).toBeLessThan(RECOVERED);

  target.release();
  const responses = await Promise.all([...gets, keyed].map((handle) => handle.result()));
  expect(responses.every((response) => response?.status === 200)).toBe(true);
  expect(target.total).toBe(79);
  expect(hits(fleet, path)).toBe(1);
  const keys = target.hits.map((hit) => hit.headers['idempotency-key']);
  expect(keys.filter((key) => key === 'order-1')).toHaveLength(2);
});

test('Redis dies with the worker: the requests are found all the same', async () => {
  await using fleet = await startFleet();
  const victim = await fleet.worker();
  const handle = await fleet.patient.submit.get(fleet.target.url('/hold'), {
    heartbeatTimeout: '3s',
  });
  await fleet.target.waitFor(({ inFlight }) => inFlight === 1, 60_000);
  await fleet.worker();
  await fleet.redis.kill();
  victim.kill('SIGKILL');
  await fleet.target.waitFor(({ inFlight }) => inFlight === 0);
  await fleet.target.waitFor(({ inFlight }) => inFlight === 1, 60_000);
  fleet.target.release();
  expect(await handle.result()).toMatchObject({ status: 200 });
});

test('a stopped process that lost its requests takes them back when nobody runs them yet', async () => {
  await using fleet = await startFleet();
  const stopped = await fleet.worker();
  const [handle] = await held(fleet, 1);
  await fleet.worker();
  stopped.kill('SIGSTOP');
  // Taken over, and its attempt failed; the next one may well wait in the stopped process's hands,
  // which still has its polls open.
  const [request] = await fleet.redis.redis.keys(`patient:{default/${fleet.taskQueue}}:request:*`);
  await expect
    .poll(() => fleet.redis.redis.hget(request!, 'state'), { timeout: RECOVERED })
    .toBe('orphaned');
  stopped.kill('SIGCONT');
  // Either it takes the request back and goes on with its socket, or it learns that another has it
  // and closes the socket. Never do both go on.
  await expect
    .poll(() => fleet.redis.redis.hget(request!, 'state'), { timeout: RECOVERED })
    .toBe('running');
  await fleet.target.waitFor(({ inFlight }) => inFlight === 1, RECOVERED);
  fleet.target.release();
  expect(await handle!.result()).toMatchObject({ status: 200 });
  expect(fleet.target.hits.filter((hit) => !hit.aborted)).toHaveLength(1);
});

test('Redis is restarted while all owners live: nothing is sent twice', async () => {
  await using fleet = await startFleet();
  await fleet.worker();
  await fleet.worker();
  const handles = await held(fleet, 20);
  await fleet.redis.restart();
  await fleet.redis.redis.flushall();
  await fleet.redis.restart();
  // Both are known again, and a lease later still are: had one been taken for dead, it would be now.
  const leases = `patient:{default/${fleet.taskQueue}}:leases`;
  const since = Date.now();
  await expect
    .poll(
      async () => {
        const [, first, , second] = await fleet.redis.redis.zrange(leases, '0', '-1', 'WITHSCORES');
        return Math.min(Number(first), Number(second));
      },
      { timeout: 60_000 },
    )
    .toBeGreaterThan(since + 3 * LEASE_TTL);
  fleet.target.release();
  await Promise.all(handles.map((handle) => handle.result()));
  expect(fleet.target.total).toBe(20);
});

test('patient ps --processes lists the processes, what they have in flight, and who is dead', async () => {
  await using fleet = await startFleet();
  const victim = await fleet.worker();
  const handles = await held(fleet, 2);
  handles.push(await fleet.patient.submit.post(fleet.target.url('/hold'), { json: {} }));
  const ps = async () => {
    const { stdout } = await run(['dist/src/cli/main.js', 'ps', '--processes'], {
      PATIENT_REDIS_URL: fleet.redis.url,
      PATIENT_TASK_QUEUE: fleet.taskQueue,
    });
    return JSON.parse(stdout) as FleetProcess[];
  };
  const host = new URL(fleet.target.url()).host;
  await expect
    .poll(async () => (await ps())[0], { timeout: 60_000 })
    .toMatchObject({
      state: 'running',
      inFlight: 3,
      maxConnections: 1000,
      hosts: [{ host, phases: { sent: 3 } }],
      drain: { handOver: 2, onWire: 1, delivering: 0 },
    });
  victim.kill('SIGKILL');
  await expect.poll(async () => (await ps())[0]!.leaseLeft < 0, { timeout: RECOVERED }).toBe(true);
  await Promise.all(handles.map((handle) => handle.cancel()));
});
