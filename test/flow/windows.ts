import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Something a target has seen. */
export interface Sent {
  /** ms */
  at: number;
  cost?: number;
}

/**
 * The most by which any window has more than `rate` allows for its length, in units of cost; what
 * is more than the burst is too much.
 */
export function worstExcess(
  sent: readonly Sent[],
  { rate, period }: { rate: number; period: number },
) {
  const sorted = [...sent].sort((a, b) => a.at - b.at);
  // For the window from i to j: sum(i..j) - (t_j - t_i) * rate / period. The best start so far is kept.
  let sum = 0;
  let least = Infinity;
  let worst = 0;
  for (const { at, cost = 1 } of sorted) {
    const allowed = (at * rate) / period;
    least = Math.min(least, sum - allowed);
    sum += cost;
    worst = Math.max(worst, sum - allowed - least);
  }
  return worst;
}

/** The most that any window of so many ms holds. */
export function mostIn(sent: readonly Sent[], ms: number): number {
  const sorted = [...sent].sort((a, b) => a.at - b.at);
  let first = 0;
  return sorted.reduce((most, { at }, last) => {
    while (at - sorted[first]!.at >= ms) first++;
    return Math.max(most, last - first + 1);
  }, 0);
}

/** Counts from now on; gives how many of a rate can come together here because this process was late. */
export function watchLateness(): (limits: { rate: number; period: number }) => number {
  const late = monitorEventLoopDelay({ resolution: 5 });
  late.enable();
  return ({ rate, period }) => {
    late.disable();
    return Math.ceil((late.max / 1e6) * (rate / period));
  };
}
