import type { FailureRecord, Statistics } from './port.ts';
import {
  addBuckets,
  HOUR,
  HOURS_LIFE,
  MAX_FAILURES,
  MINUTE,
  MINUTES_LIFE,
  statisticsOf,
  type Buckets,
  type Delta,
  type StatisticsStore,
} from './statistics.ts';

/** Statistics of one process, which end with it. */
export class MemoryStatistics implements StatisticsStore {
  readonly #hours: Buckets = {};
  readonly #minutes: Buckets = {};
  #failures: FailureRecord[] = [];

  async record({ hours, minutes, failures }: Delta): Promise<void> {
    addBuckets(this.#hours, hours, HOUR);
    addBuckets(this.#minutes, minutes, MINUTE);
    forget(this.#hours, HOURS_LIFE);
    forget(this.#minutes, MINUTES_LIFE);
    this.#failures = [...this.#failures, ...failures].slice(-MAX_FAILURES);
  }

  async read(): Promise<Statistics> {
    return structuredClone(statisticsOf(this.#hours, this.#minutes));
  }

  async failures(limit: number): Promise<FailureRecord[]> {
    return this.#failures.toReversed().slice(0, limit);
  }

  async clear(): Promise<void> {
    forget(this.#hours, 0);
    forget(this.#minutes, 0);
    this.#failures = [];
  }
}

/** What is as old as `life`, ms. */
function forget(buckets: Buckets, life: number): void {
  const oldest = Date.now() - life;
  for (const start of Object.keys(buckets)) {
    if (Number(start) <= oldest) delete buckets[start as unknown as number];
  }
}
