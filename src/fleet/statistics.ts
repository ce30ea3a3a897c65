import type { FailureRecord, Statistics, StatisticsBucket } from './port.ts';

/** What a bucket counts. */
export type Counts = Omit<StatisticsBucket, 'start'>;

/** By the time at which each bucket begins, epoch ms. */
export type Buckets = Record<string, Counts>;

/** What a process has to add to what is stored. */
export interface Delta {
  hours: Buckets;
  minutes: Buckets;
  /** Oldest first. */
  failures: FailureRecord[];
}

/** Where statistics are added up, of one process or of all. */
export interface StatisticsStore {
  /**
   * Adds it, once, however often it is called with the same number: they rise with each new delta of a
   * process. Rejects when it may not have been added.
   */
  record(delta: Delta, number: number): Promise<void>;
  read(): Promise<Statistics>;
  /** Newest first. */
  failures(limit: number): Promise<FailureRecord[]>;
  clear(): Promise<void>;
}

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
/** ms for which minutes and hours are kept. */
export const MINUTES_LIFE = 60 * MINUTE;
export const HOURS_LIFE = 30 * 24 * HOUR;
export const MAX_FAILURES = 1_000;

/** ms; what took longer is in `+Inf`. */
const BOUNDS = [
  ...[50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000],
  ...[60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000],
];

export function noCounts(): Counts {
  return {
    ...{ requests: 0, duration: 0, errors: 0, errorsByType: {}, statuses: {} },
    ...{ retries: 0, capacityReached: 0, durations: {} },
  };
}

export function countUp(counts: Record<string, number>, name: string | number): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

/** `duration`: ms. */
export function countDuration(counts: Counts, duration: number): void {
  counts.duration += duration;
  countUp(counts.durations, BOUNDS.find((bound) => duration <= bound) ?? '+Inf');
}

/** Adds `more` to `counts`, and gives it. */
export function addCounts(counts: Counts, more: Counts): Counts {
  for (const name of ['requests', 'duration', 'errors', 'retries', 'capacityReached'] as const) {
    counts[name] += more[name];
  }
  for (const name of ['errorsByType', 'statuses', 'durations'] as const) {
    for (const [each, count] of Object.entries(more[name])) {
      counts[name][each] = (counts[name][each] ?? 0) + count;
    }
  }
  return counts;
}

/** Adds every bucket to the one of the longer period that it lies in. */
export function addBuckets(into: Buckets, more: Buckets, period: number): void {
  for (const [start, counts] of Object.entries(more)) {
    const begin = startOf(Number(start), period);
    addCounts((into[begin] ??= noCounts()), counts);
  }
}

export function startOf(time: number, period: number): number {
  return time - (time % period);
}

/** As operators get them: what is too old is left out, also where the store still has it. */
export function statisticsOf(hours: Buckets, minutes: Buckets): Statistics {
  const now = Date.now();
  const kept = listOf(hours, now - HOURS_LIFE);
  const totals = kept.reduce<Counts>(addCounts, noCounts());
  return {
    totals: { start: kept[0]?.start ?? startOf(now, HOUR), ...totals },
    hours: kept,
    minutes: listOf(minutes, now - MINUTES_LIFE),
  };
}

function listOf(buckets: Buckets, oldest: number): StatisticsBucket[] {
  return Object.entries(buckets)
    .map(([start, counts]) => ({ start: Number(start), ...counts }))
    .filter(({ start }) => start > oldest)
    .sort((a, b) => a.start - b.start);
}
