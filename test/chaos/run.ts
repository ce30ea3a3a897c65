import { setTimeout as delay } from 'node:timers/promises';
import { checkCallbacks, checkRequests, hits } from './checks.ts';
import { inject, planFaults, type FaultKind } from './faults.ts';
import { Journal } from './journal.ts';
import { ended } from './outcomes.ts';
import { Random } from './random.ts';
import { checkRemains } from './remains.ts';
import type { RunReport } from './report.ts';
import { send } from './requests.ts';
import { planTraffic } from './traffic.ts';
import { startWorld } from './world.ts';

export interface RunOptions {
  seed: number;
  /** For which there are traffic and faults. */
  seconds: number;
  /** Requests a second. */
  rate: number;
  workers: number;
  /** ms from one fault to the next, on average. */
  faultEvery: number;
  faults: readonly FaultKind[];
  /** Path of the Temporal CLI. */
  cli: string;
}

/** ms in which all that is under way must end once the faults are over. */
const RECOVERY = 90_000;

/** Mixed traffic under faults, both planned by the seed; then everything is checked. */
export async function run(options: RunOptions): Promise<RunReport> {
  const { seed, seconds, rate, faultEvery, faults: kinds } = options;
  const journal = new Journal(seed);
  const traffic = planTraffic(new Random(seed), { seed, seconds, rate });
  // Numbers of their own: the faults stay the same when the traffic is another.
  const faults = planFaults(new Random(~seed), { seconds, every: faultEvery, kinds });

  await using world = await startWorld(journal, options);
  journal.note('all is up');
  const sending = traffic.map(async (planned) => {
    await delay(planned.at);
    return send(world, planned, journal);
  });
  const injecting = faults.map(async (fault) => {
    await delay(fault.at);
    await inject(world, fault, journal);
  });
  // All of them, also when one fails: nothing goes on while the world is taken down.
  await Promise.allSettled([...sending, ...injecting]);
  await Promise.all(injecting);
  const sent = await Promise.all(sending);
  journal.note('the faults are over');
  const healthyAt = Math.max(0, ...journal.episodes.map(({ to }) => to));

  const requests = await ended(world, sent, RECOVERY, journal);
  await checkRequests(world, requests, journal);
  await checkCallbacks(world, requests, journal);
  await checkRemains(world, journal);
  return {
    ...{ seed, journal, requests, workers: world.fleet.workers },
    hits: requests.reduce((sum, request) => sum + hits(world, request), 0),
    resent: requests.reduce(
      (sum, request) => sum + Math.max(0, hits(world, request) - request.tries),
      0,
    ),
    recovery: Math.max(0, ...requests.map(({ endedAt }) => endedAt - healthyAt)),
  };
}
