import { setTimeout as delay } from 'node:timers/promises';
import { checkCallbacks, checkRequests } from './checks.ts';
import { inject, planFaults, type FaultKind } from './faults.ts';
import { ended } from './outcomes.ts';
import { Random } from './random.ts';
import { checkRemains } from './remains.ts';
import type { RunReport } from './report.ts';
import { send } from './requests.ts';
import { planTraffic } from './traffic.ts';
import type { World } from './world.ts';

export interface RunOptions {
  seed: number;
  /** For which there are traffic and faults. */
  seconds: number;
  /** Requests a second. */
  rate: number;
  /** ms from one fault to the next, on average. */
  faultEvery: number;
  faults: readonly FaultKind[];
}

/** ms in which all that is under way must end once the faults are over. */
const RECOVERY = 90_000;

/** Mixed traffic under faults, both planned by the seed; then everything is checked. */
export async function run(world: World, options: RunOptions): Promise<RunReport> {
  const { seed, seconds, rate, faultEvery, faults: kinds } = options;
  const { journal, fleet } = world;
  const traffic = planTraffic(new Random(seed), { seed, seconds, rate });
  // Numbers of their own: the faults stay the same when the traffic is another.
  const faults = planFaults(new Random(~seed), { seconds, every: faultEvery, kinds });

  journal.note('all is up');
  const sending = traffic.map(async (planned) => {
    await delay(planned.at);
    return send(world, planned);
  });
  const injecting = faults.map(async (fault) => {
    await delay(fault.at);
    await inject(world, fault);
  });
  // All of them, also when one fails: nothing goes on while the world is taken down.
  await Promise.allSettled([...sending, ...injecting]);
  await Promise.all(injecting);
  const sent = await Promise.all(sending);
  journal.note('the faults are over');
  const healthyAt = Math.max(0, ...journal.episodes.map(({ to }) => to));

  const requests = await ended(world, sent, RECOVERY);
  await checkCallbacks(world, requests);
  await checkRemains(world);
  // Now that nobody is left who could send one again.
  await checkRequests(world, requests);
  const recovery = Math.max(0, ...requests.map(({ endedAt }) => endedAt - healthyAt));
  return {
    ...{ seed, journal, requests, recovery, hits: world.target.hits, workers: fleet.workers },
    faults: faults.map(({ kind }) => kind),
  };
}
