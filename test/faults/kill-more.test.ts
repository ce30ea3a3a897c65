import { expect, test, vi } from 'vitest';
import { startFleet, type Fleet } from '../redis/fleet.ts';
import { FULL, startCaller, tally, type Caller } from './caller.ts';

const COUNT = FULL ? 2_000 : 200;
const LEASE_TTL = FULL ? 10_000 : 2_000;
/** Found by the lease or by this; the default of three minutes would be no proof of either. */
const HEARTBEAT_TIMEOUT = FULL ? 20_000 : 5_000;
const RECOVERED = 60_000;
const PATHS = Array.from({ length: COUNT }, (_, i) => `/hold/${i}`);

vi.setConfig({ testTimeout: 300_000 });

function startProcesses(): Promise<Fleet> {
  return startFleet({
    target: { record: false },
    env: { PATIENT_MAX_CONNECTIONS: '2000', PATIENT_LEASE_TTL: String(LEASE_TTL) },
  });
}

/** All of them in flight; the function gives their outcomes. */
async function hold({ target }: Fleet, caller: Caller, heartbeatTimeout = 180_000) {
  const specs = PATHS.map((path) => ({ url: target.url(path), heartbeatTimeout }));
  const outcomes = await caller.call(specs);
  await target.waitFor(({ inFlight }) => inFlight === COUNT, 60_000);
  return outcomes;
}

/** Resolves once the target has all of them again; gives ms. */
async function allBack({ target }: Fleet): Promise<number> {
  const started = performance.now();
  await target.waitFor(({ inFlight }) => inFlight === COUNT, RECOVERED);
  return Math.round(performance.now() - started);
}

function mostHits({ target }: Fleet): number {
  return Math.max(...PATHS.map((path) => target.count(path)));
}

test('both processes are killed, and a new one started', async () => {
  await using fleet = await startProcesses();
  const both = await Promise.all([fleet.worker(), fleet.worker()]);
  await using caller = await startCaller(fleet);
  const outcomes = await hold(fleet, caller);
  for (const worker of both) worker.kill('SIGKILL');
  await fleet.target.waitFor(({ inFlight }) => inFlight === 0);
  const [ms] = await Promise.all([allBack(fleet), fleet.worker()]);
  fleet.target.release();
  expect(tally(await outcomes())).toEqual({ 200: COUNT });
  expect(fleet.target.total).toBe(2 * COUNT);
  expect(mostHits(fleet)).toBe(2);
  console.log(`Both killed: ${COUNT} orphans, all sent again after ${ms} ms`);
});

test('the survivor is killed while it recovers, and a third takes over', async () => {
  await using fleet = await startProcesses();
  const { target } = fleet;
  const [victim, survivor] = await Promise.all([fleet.worker(), fleet.worker()]);
  await using caller = await startCaller(fleet);
  // Attempts that Temporal has handed to the survivor and it has not registered are in no record.
  const outcomes = await hold(fleet, caller, HEARTBEAT_TIMEOUT);
  victim.kill('SIGKILL');
  await target.waitFor(({ total }) => total > COUNT, RECOVERED);
  const again = target.total - COUNT;
  survivor.kill('SIGKILL');
  await target.waitFor(({ inFlight }) => inFlight === 0);
  const [ms] = await Promise.all([allBack(fleet), fleet.worker()]);
  target.release();
  expect(tally(await outcomes())).toEqual({ 200: COUNT });
  expect(mostHits(fleet)).toBeLessThanOrEqual(3);
  console.log(`Survivor killed after ${again} of its sends: all sent again after ${ms} ms`);
});

test('Redis is killed with the process, and comes back later', async () => {
  await using fleet = await startProcesses();
  const { target } = fleet;
  const [victim] = await Promise.all([fleet.worker(), fleet.worker()]);
  await using caller = await startCaller(fleet);
  const outcomes = await hold(fleet, caller, HEARTBEAT_TIMEOUT);
  victim.kill('SIGKILL');
  await Promise.all([fleet.redis.kill(), victim.end()]);
  const orphans = COUNT - target.inFlight;
  const ms = await allBack(fleet);
  await fleet.redis.restart();
  // All that the survivor has is known again, and only that.
  const [prefix] = [`patient:{default/${fleet.taskQueue}}:`];
  await expect
    .poll(
      async () => {
        const owners = await fleet.redis.redis.zrange(`${prefix}leases`, '0', '-1');
        const counts = owners.map((owner) => fleet.redis.redis.scard(`${prefix}records:${owner}`));
        return Promise.all(counts);
      },
      { timeout: RECOVERED },
    )
    .toEqual([COUNT]);
  target.release();
  expect(tally(await outcomes())).toEqual({ 200: COUNT });
  expect(target.total).toBe(COUNT + orphans);
  expect(mostHits(fleet)).toBe(2);
  console.log(`Redis killed too: ${orphans} found by heartbeat, all sent again after ${ms} ms`);
});

test('Redis is flushed when the process is killed', async () => {
  await using fleet = await startProcesses();
  const { target } = fleet;
  const [victim] = await Promise.all([fleet.worker(), fleet.worker()]);
  await using caller = await startCaller(fleet);
  const outcomes = await hold(fleet, caller, HEARTBEAT_TIMEOUT);
  victim.kill('SIGKILL');
  await Promise.all([fleet.redis.redis.flushall(), victim.end()]);
  const orphans = COUNT - target.inFlight;
  const ms = await allBack(fleet);
  target.release();
  expect(tally(await outcomes())).toEqual({ 200: COUNT });
  expect(target.total).toBe(COUNT + orphans);
  expect(mostHits(fleet)).toBe(2);
  console.log(`Redis flushed: ${orphans} found by heartbeat, all sent again after ${ms} ms`);
});
