import { expect, test, vi } from 'vitest';
import { startCaller, tally } from './caller.ts';
import { allBack, COUNT, hold, mostHits, startProcesses } from './held.ts';

vi.setConfig({ testTimeout: 200_000 });

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
