import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../support/wait-for.ts';
import type { Random } from './random.ts';
import type { FleetWorker } from './workers.ts';
import { LEASE_TTL, type World } from './world.ts';

export interface PlannedFault {
  /** ms from the start of the traffic. */
  at: number;
  kind: FaultKind;
  /** ms that what it stops stays away. */
  pause: number;
  /** Chooses among the workers of that moment; from 0 up to 1. */
  victim: number;
}

export type FaultKind =
  | 'kill'
  | 'drain'
  | 'short stop'
  | 'long stop'
  | 'Redis restart'
  | 'Redis flush'
  | 'short Temporal outage'
  | 'long Temporal outage'
  | 'outage of both'
  | 'kill in a Redis outage'
  | 'kill in a Temporal outage';

interface Fault {
  /** ms that what it stops stays away, at least and at most. */
  pause: [from: number, to: number];
  /** Resolves when what it broke works again. */
  run(world: World, fault: PlannedFault): Promise<unknown>;
}

const FAULTS: Record<FaultKind, Fault> = {
  kill: { pause: [0, 0], run: kill },
  drain: { pause: [0, 0], run: drain },
  'short stop': { pause: [200, LEASE_TTL - 700], run: stop },
  'long stop': { pause: [LEASE_TTL + 500, LEASE_TTL + 5_000], run: stop },
  'Redis restart': { pause: [0, 2 * LEASE_TTL], run: restartRedis },
  'Redis flush': { pause: [0, LEASE_TTL], run: restartRedis },
  'short Temporal outage': { pause: [0, 1_500], run: restartTemporal },
  // Longer than the heartbeat timeouts of the traffic.
  'long Temporal outage': { pause: [5_500, 8_000], run: restartTemporal },
  'outage of both': {
    pause: [500, 4_000],
    run: (...args) => Promise.all([restartRedis(...args), restartTemporal(...args)]),
  },
  'kill in a Redis outage': {
    pause: [1_000, 2 * LEASE_TTL],
    run: (...args) => Promise.all([restartRedis(...args), killAmid(...args)]),
  },
  'kill in a Temporal outage': {
    pause: [1_000, 6_000],
    run: (...args) => Promise.all([restartTemporal(...args), killAmid(...args)]),
  },
};

export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[];

export function isFaultKind(name: string): name is FaultKind {
  return Object.hasOwn(FAULTS, name);
}

/** Comes twice in each round: most is at stake for the requests that a process has. */
const TWICE: readonly FaultKind[] = ['kill', 'long stop'];

/** One every `every` ms, give or take a half; every kind comes in each round of them. */
export function planFaults(
  random: Random,
  { seconds, every, kinds }: { seconds: number; every: number; kinds: readonly FaultKind[] },
): PlannedFault[] {
  const planned: PlannedFault[] = [];
  let deck: FaultKind[] = [];
  for (let at = every; at < seconds * 1_000; at += random.int(every / 2, every * 1.5)) {
    if (deck.length === 0)
      deck = random.shuffle([...kinds, ...TWICE.filter((kind) => kinds.includes(kind))]);
    const kind = deck.shift();
    if (!kind) break;
    const pause = random.int(...FAULTS[kind].pause);
    planned.push({ at, kind, pause, victim: random.next() });
  }
  return planned;
}

/** Resolves when what it broke works again. */
export async function inject(world: World, fault: PlannedFault): Promise<void> {
  await FAULTS[fault.kind].run(world, fault);
}

async function kill(world: World, fault: PlannedFault): Promise<void> {
  const worker = await victim(world, fault);
  await world.journal.episode('worker', `kill of ${worker.name}`, async () => {
    await world.fleet.end(worker, 'SIGKILL');
    await world.fleet.add();
  });
}

async function killAmid(world: World, fault: PlannedFault): Promise<void> {
  await delay(fault.pause / 2);
  await kill(world, fault);
}

async function drain(world: World, fault: PlannedFault): Promise<void> {
  const worker = await victim(world, fault);
  await world.journal.episode('worker', `drain of ${worker.name}`, async () => {
    await Promise.all([world.fleet.end(worker, 'SIGTERM'), world.fleet.add()]);
  });
}

async function stop(world: World, fault: PlannedFault): Promise<void> {
  const worker = await victim(world, fault);
  await world.journal.episode(
    'worker',
    `stop of ${worker.name} for ${fault.pause} ms`,
    async () => {
      worker.busy = true;
      worker.process.kill('SIGSTOP');
      await delay(fault.pause);
      worker.process.kill('SIGCONT');
      worker.busy = false;
    },
  );
}

async function restartRedis(world: World, { kind, pause }: PlannedFault): Promise<void> {
  const flush = kind === 'Redis flush';
  const title = `Redis away for ${pause} ms${flush ? ', and empty' : ''}`;
  await world.journal.episode('redis', title, async () => {
    if (flush) await world.redis.redis.flushall();
    await world.redis.kill();
    await delay(pause);
    await world.redis.restart();
  });
}

async function restartTemporal(world: World, { pause }: PlannedFault): Promise<void> {
  await world.journal.episode('temporal', `Temporal away for ${pause} ms`, async () => {
    await world.killTemporal();
    await delay(pause);
    await world.restartTemporal();
  });
}

/** One of the workers that run; when none does, the next one. */
async function victim({ fleet }: World, fault: PlannedFault): Promise<FleetWorker> {
  await waitFor(() => fleet.idle.length > 0, { timeout: 60_000, message: 'a worker that runs' });
  const { idle } = fleet;
  return idle[Math.floor(fault.victim * idle.length)]!;
}
