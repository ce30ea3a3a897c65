import type { RedisConnection } from '../liveness/redis-connection.ts';
import type { RedisKeys } from '../liveness/redis-keys.ts';
import type { FlowLimits } from '../shared/flow-limits.ts';
import { completed } from './change.ts';
import { inForce, type FlowAdmin, type FlowKey, type Override } from './port.ts';
import { flowKeysOf, type FlowKeys } from './redis-keys.ts';
import { SCRIPTS } from './scripts.generated.ts';

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

  async list(): Promise<FlowKey[]> {
    const { redis } = this.#connection;
    const [used, set] = await Promise.all([
      redis.zrange(this.#flow.index, '0', '-1'),
      redis.hkeys(this.#flow.overrides),
    ]);
    const keys = [...new Set([...used, ...set])].sort();
    return Promise.all(keys.map((key) => this.show(key)));
  }

  async show(key: string): Promise<FlowKey> {
    const { redis } = this.#connection;
    const [time, state, held, json] = await Promise.all([
      redis.time(),
      redis.hgetall(this.#flow.state(key)),
      redis.hgetall(this.#flow.held(key)),
      redis.hget(this.#flow.overrides, key),
    ]);
    const now = Number(time[0]) * 1000 + Number(time[1]) / 1000;
    const override = json ? (JSON.parse(json) as Override) : {};
    const stated = JSON.parse(state['limits'] ?? '{}') as FlowLimits;
    return {
      key,
      paused: override.paused ?? false,
      override,
      limits: inForce(stated, override),
      inFlight: await this.#inFlight(held, now),
      nextIn: left(state['tat'], now),
      coolFor: left(state['cool'], now),
      failures: Number(state['failures'] ?? 0),
    };
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

  /** Without what dead processes held. */
  async #inFlight(held: Record<string, string>, now: number): Promise<number> {
    const owners = Object.keys(held);
    if (owners.length === 0) return 0;
    const expiries = await this.#connection.redis.zmscore(this.#keys.leases, owners);
    return owners.reduce(
      (sum, owner, index) => sum + (Number(expiries[index]) > now ? Number(held[owner]) : 0),
      0,
    );
  }
}

function left(time: string | undefined, now: number): number {
  return Math.max(0, Math.ceil(Number(time ?? 0) - now));
}
