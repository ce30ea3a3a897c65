import { expect, test, vi } from 'vitest';
import { startCaller, tally } from './caller.ts';
import {
  allBack,
  COUNT,
  HEARTBEAT_TIMEOUT,
  hold,
  mostHits,
  RECOVERED,
  startProcesses,
} from './held.ts';

vi.setConfig({ testTimeout: 200_000 });

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
  const prefix = `patient:{default/${fleet.taskQueue}}:`;
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
