import { KeptOutcomeError } from '../shared/errors.ts';
import type { Settled } from '../shared/outcome.ts';
import { keyString, type RequestKey } from '../shared/request-key.ts';
import { Bulk } from './bulk.ts';
import { itemField, readItems } from './item-outcomes.ts';
import { ItemSettlements } from './item-settlements.ts';
import type { ItemOutcomes, OutcomeSeal } from './port.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';

export interface KeptOutcomesOptions {
  connection: RedisConnection;
  keys: RedisKeys;
  owner: string;
  seal: OutcomeSeal;
  /** A call failed. */
  missed: (error: unknown) => void;
}

/** What requests and items of batches have ended with, in their records until Temporal has it. */
export class KeptOutcomes {
  readonly #options: KeptOutcomesOptions;
  readonly #bulk = new Bulk();
  readonly #items = new ItemSettlements((id, fields) => this.#keep(id, fields));

  constructor(options: KeptOutcomesOptions) {
    this.#options = options;
  }

  async settle({ index, ...key }: RequestKey, settled: Settled): Promise<boolean> {
    const id = keyString(key);
    let sealed: string | undefined;
    try {
      sealed = await this.#options.seal.seal(key, settled, index !== undefined);
    } catch (error) {
      this.#options.missed(error);
      return false;
    }
    if (sealed === undefined) return false;
    if (index === undefined) return this.#keep(id, ['outcome', sealed]);
    return this.#items.add(id, itemField(index), sealed);
  }

  /** Of a batch that is registered here; `sizes` as its registration gave them. */
  async ownItems(
    key: RequestKey,
    sizes: number[],
    skipsUnreadable: boolean,
  ): Promise<ItemOutcomes> {
    const { owner, seal, missed } = this.#options;
    const read = async (fields: string[], bytes: number): Promise<(string | null)[]> => {
      const [holder, ...items] = await this.#read(key, ['owner', ...fields], bytes).catch(
        (cause: unknown) => {
          missed(cause);
          // Known to have ended: it waits for Redis instead of being sent again.
          const message = 'redisUrl: what it ended with is kept in Redis, which is away';
          throw new KeptOutcomeError(message, { cause });
        },
      );
      if (holder === owner) return items;
      throw new Error('Redis has it no longer here; the next attempt tells whose the request is');
    };
    return readItems(seal, { key, sizes, read, skipsUnreadable });
  }

  /** Of any batch; undefined where no attempt of it is known. */
  async allItems(key: RequestKey, count: number): Promise<ItemOutcomes | undefined> {
    const { connection, keys, seal } = this.#options;
    const request = keys.request(keyString(key));
    // A cancel alone makes a record too.
    if (!(await connection.redis.hexists(request, 'number'))) return undefined;
    const positions = Array.from({ length: count }, (_, position) => position);
    const sizes = await Promise.all(
      positions.map((position) => connection.redis.hstrlen(request, itemField(position))),
    );
    const read = (fields: string[], bytes: number) => this.#read(key, fields, bytes);
    return readItems(seal, { key, sizes, read, skipsUnreadable: true });
  }

  #read(key: RequestKey, fields: string[], bytes: number): Promise<(string | null)[]> {
    const { connection, keys } = this.#options;
    const request = keys.request(keyString(key));
    return this.#bulk.run(bytes, () => connection.redis.hmget(request, ...fields));
  }

  async #keep(id: string, fields: string[]): Promise<boolean> {
    const { connection, keys, owner, missed } = this.#options;
    const bytes = fields.reduce((sum, { length }) => sum + length, 0);
    try {
      const kept = await this.#bulk.run(bytes, () =>
        connection.run('settle', [keys.request(id)], [owner, ...fields]),
      );
      return kept === 1;
    } catch (error) {
      missed(error);
      return false;
    }
  }
}
