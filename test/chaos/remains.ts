import { waitFor } from '../support/wait-for.ts';
import type { Journal } from './journal.ts';
import type { FleetWorker } from './workers.ts';
import { LEASE_TTL, type World } from './world.ts';

/** ms for sockets and leases of the dead to go. */
const LIMIT = 30_000;

const ERROR = /unhandled|uncaught|defect|"level":"(error|fatal)"/i;
const LOST = /Stopped, and lost \d+ outcomes/;

/** Stops the workers gracefully, and looks at what they leave behind. */
export async function checkRemains(world: World): Promise<void> {
  const { fleet, redis, target, journal } = world;
  // The dead are found by the living, while there are any.
  const leases = () => redis.redis.zcard(`patient:{default/chaos}:leases`);
  await waitFor(async () => (await leases()) <= fleet.idle.length, {
    timeout: LIMIT,
    interval: LEASE_TTL / 10,
  }).catch(async () => journal.violation(`${await leases()} leases, ${fleet.idle.length} workers`));

  const { idle } = fleet;
  await Promise.all(idle.map((worker) => fleet.end(worker, 'SIGTERM')));
  for (const worker of fleet.workers) checkEnd(worker, idle.includes(worker), journal);

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

/** `idle`: it had nothing left to lose. */
function checkEnd(worker: FleetWorker, idle: boolean, journal: Journal): void {
  const { name, endedBy, result, process } = worker;
  const { code, signal } = result!;
  const lines = process.stderr.split('\n');
  // What was given up or not taken when the drain was over; the checks of the requests judge that.
  const hasLost = lines.some((line) => LOST.test(line)) && code === 1 && !idle;
  if (endedBy === 'SIGTERM' && code !== 0 && !hasLost) {
    journal.violation(`${name} ended with ${signal ?? code}`);
  }
  for (const line of lines) {
    if (ERROR.test(line) && !LOST.test(line)) journal.violation(`${name} printed ${line}`);
  }
}
