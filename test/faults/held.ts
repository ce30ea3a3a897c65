import { startFleet, type Fleet } from '../redis/fleet.ts';
import type { Caller } from './caller.ts';
import { FULL } from './size.ts';

export const COUNT = FULL ? 2_000 : 200;
/** Shorter than the default of three minutes, for what no lease can find. */
export const HEARTBEAT_TIMEOUT = FULL ? 20_000 : 5_000;
export const RECOVERED = FULL ? 150_000 : 60_000;
const LEASE_TTL = FULL ? 10_000 : 2_000;
const PATHS = Array.from({ length: COUNT }, (_, i) => `/hold/${i}`);

/** Each process can hold all requests. */
export function startProcesses(): Promise<Fleet> {
  return startFleet({
    target: { record: false },
    env: { PATIENT_MAX_CONNECTIONS: '2000', PATIENT_LEASE_TTL: String(LEASE_TTL) },
  });
}

/** Has the target hold all of them, each on a path of its own; the function gives their outcomes. */
export async function hold({ target }: Fleet, caller: Caller, heartbeatTimeout = 180_000) {
  const specs = PATHS.map((path) => ({ url: target.url(path), heartbeatTimeout }));
  const outcomes = await caller.call(specs);
  await target.waitFor(({ inFlight }) => inFlight === COUNT, RECOVERED);
  return outcomes;
}

/** Resolves once the target has all of them again; gives ms. */
export async function allBack({ target }: Fleet): Promise<number> {
  const started = performance.now();
  await target.waitFor(({ inFlight }) => inFlight === COUNT, RECOVERED);
  return Math.round(performance.now() - started);
}

export function mostHits({ target }: Fleet): number {
  return Math.max(...PATHS.map((path) => target.count(path)));
}
