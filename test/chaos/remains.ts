import { waitFor } from '../support/wait-for.ts';
import type { Journal } from './journal.ts';
import type { FleetWorker } from './workers.ts';
import { LEASE_TTL, type World } from './world.ts';

/** ms for sockets and leases of the dead to go. */
const LIMIT = 30_000;

/** Stops the workers gracefully, and looks at what they leave behind. */
export async function checkRemains(world: World): Promise<void> {
  const { fleet, redis, target, journal } = world;
  // The dead are found by the living, while there are any.
  const leases = () => redis.redis.zcard(`patient:{default/chaos}:leases`);
  await waitFor(async () => (await leases()) <= fleet.idle.length, {
    timeout: LIMIT,
    interval: LEASE_TTL / 10,
  }).catch(async () => journal.violation(`${await leases()} leases, ${fleet.idle.length} workers`));

  await fleet.endAll();
  for (const worker of fleet.workers) checkEnd(worker, journal);

  await target
    .waitFor(({ open }) => open === 0, LIMIT)
    .catch(() => journal.violation(`the target has ${target.open} open sockets`));
  const keys = await redis.redis.keys('*');
  for (const key of keys.toSorted()) {
    const left = await redis.redis.pttl(key);
    journal.note(`left in Redis: ${key}, for ${left} ms`);
    if (left === -1) journal.violation(`${key} stays in Redis for ever`);
  }
}

function checkEnd({ name, endedBy, ending, result, process }: FleetWorker, journal: Journal): void {
  const { code, signal } = result!;
  if (endedBy === 'SIGTERM' && code !== 0) {
    const { from, to } = ending!;
    const outage = journal.episodes.some(
      (episode) => episode.part === 'temporal' && episode.from <= to && episode.to >= from,
    );
    const undelivered = code === 1 && process.stderr.includes('did not reach Temporal');
    if (!(outage && undelivered)) journal.violation(`${name} ended with ${signal ?? code}`);
  }
  for (const line of process.stderr.split('\n')) {
    if (/unhandled|uncaught|defect|"level":"(error|fatal)"/i.test(line)) {
      if (line.includes('did not reach Temporal')) continue;
      journal.violation(`${name} printed ${line}`);
    }
  }
}
