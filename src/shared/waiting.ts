import { OTHERS } from './constants.ts';

/** Of a process, what it last said of itself. */
interface Waits {
  /** Requests that wait for a flow key, by key. */
  waiting: Record<string, number>;
  /** ms until it counts as dead. */
  leaseLeft: number;
}

/** Requests that wait, by the key they wait for, as processes last said. */
export function waitedFor(processes: readonly Waits[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { waiting, leaseLeft } of processes) {
    // What a dead one had is no longer there, or with another.
    if (leaseLeft <= 0) continue;
    for (const [key, count] of Object.entries(waiting)) {
      counts.set(key, (counts.get(key) ?? 0) + count);
    }
  }
  return counts;
}

/** Names that processes give, of a large fleet. */
const MAX_NAMES = 500;

/** The keys that most requests wait for. */
export function mostWaitedFor(processes: readonly Waits[]): string[] {
  const counts = [...waitedFor(processes)].filter(([key]) => key !== OTHERS);
  const inOrder = counts.sort(([, a], [, b]) => b - a);
  return inOrder.slice(0, MAX_NAMES).map(([key]) => key);
}
