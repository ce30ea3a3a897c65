import type { RedisConnection } from '../liveness/redis-connection.ts';
import type { RedisKeys } from '../liveness/redis-keys.ts';
import type { FlowLimits } from '../shared/flow-limits.ts';
import { limitOf } from '../shared/row-limit.ts';
import { completed } from './change.ts';
import { LIFE } from './ledger.ts';
import { NAMED, RANKS, rowsOf, type RankedKey } from './page.ts';
import { inForce } from './port.ts';
import type { FlowAdmin, FlowKey, FlowPage, FlowQuery, Override } from './port.ts';
import { flowKeysOf, type FlowKeys } from './redis-keys.ts';
import { SCRIPTS } from './scripts.generated.ts';

/** What look-3.lua is asked. */
interface Look {
  names?: readonly string[];
  from?: number;
  count?: number;
  text?: string;
  lowest?: number;
  wanted: number[];
}

/** Keys that one script looks at: what else is asked of Redis waits for a few ms at most. */
const CHUNK = 250;
/** Keys that are looked at for one page. */
const MOST = 10_000;

const UNKNOWN = {
  ...{ paused: false, override: {}, limits: {} },
  ...{ inFlight: 0, nextIn: 0, coolFor: 0, failures: 0 },
};

/** Keys of all processes, as Redis knows them; needs no worker. */
export class RedisFlowAdmin implements FlowAdmin {
  readonly #connection: RedisConnection;
  readonly #keys: RedisKeys;
  readonly #flow: FlowKeys;

  constructor(connection: RedisConnection, keys: RedisKeys) {
    this.#connection = connection;
    this.#keys = keys;
    this.#flow = flowKeysOf(keys.prefix);
    connection.define(SCRIPTS);
  }

  async list({ text = '', limit, first = [] }: FlowQuery = {}): Promise<FlowPage> {
    const used = await this.#connection.redis.zcard(this.#flow.index);
    const set = await this.#withSomethingSet();
    const named = new Set(first);
    const found = new Map<string, RankedKey>();
    let total = used;
    let matched = 0;
    const look = async (at: Omit<Look, 'text' | 'wanted'>): Promise<void> => {
      const ranks = [...found.values()].map(({ rank }) => rank);
      const missing = (rank: number) =>
        limitOf(limit) - ranks.filter((other) => other <= rank).length;
      // Those named may come again.
      const wanted = RANKS.map((rank) => (missing(rank) > 0 ? missing(rank) + named.size : 0));
      const answer = await this.#look({ ...at, text: text.toLowerCase(), wanted });
      for (const row of answer.rows) if (!found.has(row.key.key)) found.set(row.key.key, row);
      if (at.names) total += answer.counted;
      matched += answer.matched;
    };
    // One after the other: what others ask Redis, renewals of leases above all, goes in between.
    for (const names of chunksOf([...named])) await look({ names, lowest: NAMED });
    for (const names of chunksOf([...set].filter((key) => !named.has(key)))) await look({ names });
    for (let from = 0; from < Math.min(used, MOST); from += CHUNK)
      await look({ from, count: CHUNK });
    return { rows: rowsOf([...found.values()], limit), matched: text ? matched : total, total };
  }

  async show(key: string): Promise<FlowKey> {
    const { rows } = await this.#look({ names: [key], wanted: RANKS.map(() => 1) });
    return rows[0]?.key ?? { ...UNKNOWN, key };
  }

  async set(key: string, limits: FlowLimits | undefined): Promise<void> {
    await this.#change(key, limits && completed(limits, (await this.show(key)).limits));
  }

  async pause(key: string): Promise<void> {
    await this.#change(key, { paused: true });
  }

  async resume(key: string): Promise<void> {
    await this.#change(key, { paused: false });
  }

  async #change(key: string, change: Override | undefined): Promise<void> {
    const json = change ? JSON.stringify(change) : '';
    const keys = [this.#flow.overrides, this.#flow.index];
    await this.#connection.run('override', keys, [key, json, this.#keys.prefix]);
  }

  async #look(look: Look): Promise<{ counted: number; matched: number; rows: RankedKey[] }> {
    const keys = [this.#keys.leases, this.#flow.overrides, this.#flow.index];
    const ask = JSON.stringify({ text: '', lowest: RANKS.at(-1), ...look, life: LIFE });
    const answer = await this.#connection.run('look', keys, [this.#keys.prefix, ask]);
    const [counted, matched, ...rows] = answer as [number, number, ...string[]];
    return { counted, matched, rows: rows.map(rowFrom) };
  }

  async #withSomethingSet(): Promise<Set<string>> {
    const keys = new Set<string>();
    let cursor = '0';
    do {
      const [next, pairs] = await this.#connection.redis.hscan(
        ...([this.#flow.overrides, cursor, 'COUNT', CHUNK] as const),
      );
      for (let i = 0; i < pairs.length; i += 2) keys.add(pairs[i]!);
      cursor = next;
    } while (cursor !== '0' && keys.size < MOST);
    return keys;
  }
}

function rowFrom(json: string): RankedKey {
  const [key, rank, set, stated, inFlight, nextIn, coolFor, failures] = JSON.parse(json) as [
    ...[key: string, rank: number, set: string, stated: string],
    ...[inFlight: number, nextIn: number, coolFor: number, failures: number],
  ];
  const override = JSON.parse(set) as Override;
  const limits = inForce(JSON.parse(stated) as FlowLimits, override);
  const { paused = false } = override;
  return { rank, key: { key, paused, override, limits, inFlight, nextIn, coolFor, failures } };
}

function* chunksOf(names: readonly string[]): Generator<readonly string[]> {
  for (let i = 0; i < names.length; i += CHUNK) yield names.slice(i, i + CHUNK);
}
