import type { RedisAccess } from '../liveness/redis.ts';
import type { FailureRecord, Statistics } from './port.ts';
import { fleetKeysOf } from './redis-keys.ts';
import {
  HOURS_LIFE,
  MAX_FAILURES,
  MINUTES_LIFE,
  statisticsOf,
  type Buckets,
  type Counts,
  type Delta,
  type StatisticsStore,
} from './statistics.ts';

/** ms for which a delta whose answer was lost can still be told from a new one. */
const NUMBER_LIFE = 24 * 60 * 60_000;

/** Statistics of all processes of a queue. */
export class RedisStatistics implements StatisticsStore {
  readonly #access: () => RedisAccess;

  constructor(access: () => RedisAccess) {
    this.#access = access;
  }

  async record({ hours, minutes, failures }: Delta, number: number): Promise<void> {
    const { connection, keys, owner } = this.#access();
    const fleet = fleetKeysOf(keys.prefix);
    await connection.run(
      'record',
      [fleet.hours, fleet.minutes, fleet.failures, fleet.recorded(owner)],
      [
        ...[number, JSON.stringify(hours), JSON.stringify(minutes)],
        ...[HOURS_LIFE, MINUTES_LIFE, NUMBER_LIFE, MAX_FAILURES],
        ...failures.map((failure) => JSON.stringify(failure)),
      ],
    );
  }

  async read(): Promise<Statistics> {
    const { connection, keys } = this.#access();
    const fleet = fleetKeysOf(keys.prefix);
    const [hours, minutes] = await Promise.all([
      connection.redis.hgetall(fleet.hours),
      connection.redis.hgetall(fleet.minutes),
    ]);
    return statisticsOf(parsed(hours), parsed(minutes));
  }

  async failures(limit: number): Promise<FailureRecord[]> {
    const { connection, keys } = this.#access();
    if (limit < 1) return [];
    const found = await connection.redis.lrange(fleetKeysOf(keys.prefix).failures, 0, limit - 1);
    return found.map((json) => JSON.parse(json) as FailureRecord);
  }

  async clear(): Promise<void> {
    const { connection, keys } = this.#access();
    const { hours, minutes, failures } = fleetKeysOf(keys.prefix);
    await connection.redis.del(hours, minutes, failures);
  }
}

function parsed(found: Record<string, string>): Buckets {
  return Object.fromEntries(
    Object.entries(found).map(([start, json]) => [start, JSON.parse(json) as Counts]),
  );
}
