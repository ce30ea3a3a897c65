import type { Statistics, StatisticsBucket } from '../fleet/port.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What charts can look back on, and how much of it each of their points stands for. */
export const PERIODS = {
  hour: { length: HOUR, step: MINUTE, unit: MINUTE },
  day: { length: 24 * HOUR, step: HOUR, unit: HOUR },
  week: { length: 7 * 24 * HOUR, step: 3 * HOUR, unit: HOUR },
  month: { length: 30 * 24 * HOUR, step: 12 * HOUR, unit: HOUR },
} as const;

export type Period = keyof typeof PERIODS;

export interface Point {
  /** Epoch ms at which it begins. */
  start: number;
  requests: number;
  errors: number;
  /** ms, of what had a try on the wire; undefined when nothing had. */
  average: number | undefined;
  p95: number | undefined;
}

/** Requests and errors are by the minute or hour, whatever a point stands for. */
export function seriesOf(statistics: Statistics, period: Period, now: number): Point[] {
  const { length, step, unit } = PERIODS[period];
  const buckets = unit === MINUTE ? statistics.minutes : statistics.hours;
  const last = now - (now % step);
  const first = last - length + step;
  return Array.from({ length: length / step }, (_, index) => {
    const start = first + index * step;
    const part = buckets.filter((bucket) => bucket.start >= start && bucket.start < start + step);
    return pointOf(start, part, step / unit);
  });
}

function pointOf(start: number, buckets: StatisticsBucket[], units: number): Point {
  let requests = 0;
  let errors = 0;
  let duration = 0;
  const durations: Record<string, number> = {};
  for (const bucket of buckets) {
    requests += bucket.requests;
    errors += bucket.errors;
    duration += bucket.duration;
    for (const [bound, count] of Object.entries(bucket.durations)) {
      durations[bound] = (durations[bound] ?? 0) + count;
    }
  }
  return {
    start,
    requests: requests / units,
    errors: errors / units,
    average: averageOf({ duration, durations }),
    p95: quantile(durations, 0.95),
  };
}

/** ms, of what had a try on the wire; undefined when nothing had. */
export function averageOf({
  duration,
  durations,
}: Pick<StatisticsBucket, 'duration' | 'durations'>): number | undefined {
  const count = Object.values(durations).reduce((sum, each) => sum + each, 0);
  return count === 0 ? undefined : duration / count;
}

/**
 * From counts by upper bound, in between by proportion: as exact as the bounds are close. What is
 * above the highest bound counts as that bound.
 */
export function quantile(durations: Record<string, number>, share: number): number | undefined {
  const counts = Object.entries(durations)
    .map(([bound, count]) => ({ bound: bound === '+Inf' ? Infinity : Number(bound), count }))
    .sort((a, b) => a.bound - b.bound);
  const wanted = counts.reduce((sum, { count }) => sum + count, 0) * share;
  if (wanted === 0) return undefined;
  let below = 0;
  let lower = 0;
  for (const { bound, count } of counts) {
    if (below + count >= wanted) {
      return bound === Infinity ? lower : lower + ((wanted - below) / count) * (bound - lower);
    }
    below += count;
    lower = bound;
  }
  return lower;
}
