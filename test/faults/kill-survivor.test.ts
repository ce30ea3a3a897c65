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
