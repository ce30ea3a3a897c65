import type { RedisConnection } from '../liveness/redis-connection.ts';
import type { RedisKeys } from '../liveness/redis-keys.ts';
import type { FlowLimits } from '../shared/flow-limits.ts';
import type { Log } from '../shared/log.ts';
import { HORIZON, RAMP, RESERVE, type Answer, type Ask, type Obstacle } from './ledger.ts';
import type { Ledger, LedgerEvents } from './ledger.ts';
import { MemoryLedger } from './memory.ts';
import type { FlowKey, Override } from './port.ts';
import { RedisFlowAdmin } from './redis-admin.ts';
import { RedisClock } from './redis-clock.ts';
import { flowKeysOf, type FlowKeys } from './redis-keys.ts';

export interface RedisAccess {
  connection: RedisConnection;
  keys: RedisKeys;
  owner: string;
}

export interface RedisLedgerOptions {
  /** The liveness' connection and lease; asked for at the start. */
  access: () => RedisAccess;
  /** ms */
  leaseTtl: number;
  log: Log;
}

/** ms for which what is known of a key is kept without use. */
const LIFE = 24 * 60 * 60_000;
/**
 * ms after a failure or Redis' return for which a process keeps to its share: it may take others so
 * long to come back and say what they hold.
 */
const STAND_BACK = 2_500;

/**
 * Limits of a whole fleet: one script per ask, by the clock of Redis; see lua/permit-6.lua. While
 * Redis is away each process goes on with its share of the limits, by the number of processes last
 * seen: together they keep to them, and none stops.
 */
export class RedisLedger implements Ledger {
  readonly overrides = new Map<string, Override>();
  readonly #options: RedisLedgerOptions;
  readonly #share = new MemoryLedger();
  #access!: RedisAccess;
  #admin!: RedisFlowAdmin;
  #flow!: FlowKeys;
  #events!: LedgerEvents;
  readonly #clock = new RedisClock();
  #fleet = 1;
  /** Runs until Redis decides again. */
  #standingBack: NodeJS.Timeout | undefined;

  constructor(options: RedisLedgerOptions) {
    this.#options = options;
  }

  async start(events: LedgerEvents): Promise<void> {
    this.#events = events;
    this.#access = this.#options.access();
    const { connection, keys, owner } = this.#access;
    this.#flow = flowKeysOf(keys.prefix);
    this.#admin = new RedisFlowAdmin(connection, keys);
    // What one process learns of a busy target while Redis is away is its own.
    await this.#share.start({ ...events, woken: () => undefined });
    await connection.subscribe(this.#flow.all, (message) => this.#receive(message));
    await connection.subscribe(this.#flow.channel(owner), (key) => events.woken(key));
    connection.onReturn(() => this.#returned());
    await this.#load();
  }

  async ask(key: string, ask: Ask): Promise<Answer> {
    if (this.#standingBack) {
      // Redis must know what this process may hold before it grants anything to others.
      const { concurrency = 0 } = share(ask.limits, this.#fleet);
      const held = ask.costs.length > 0 ? Math.max(ask.held, concurrency) : ask.held;
      await this.#decide(key, { ...ask, held, costs: [] }).catch(() => undefined);
      return this.#askShare(key, ask);
    }
    try {
      return await this.#decide(key, ask);
    } catch (error) {
      const processes = this.#fleet;
      this.#options.log.warn('Flow limits: this process goes on with its share', {
        error,
        processes,
      });
      this.#standBack();
      return this.#askShare(key, ask);
    }
  }

  list(): Promise<FlowKey[]> {
    return this.#admin.list();
  }

  show(key: string): Promise<FlowKey> {
    return this.#admin.show(key);
  }

  set(key: string, limits: FlowLimits | undefined): Promise<void> {
    return this.#admin.set(key, limits);
  }

  pause(key: string): Promise<void> {
    return this.#admin.pause(key);
  }

  resume(key: string): Promise<void> {
    return this.#admin.resume(key);
  }

  /** What is held ends with the lease, which the liveness gives back. */
  async stop(): Promise<void> {
    clearTimeout(this.#standingBack);
  }

  async #decide(key: string, ask: Ask): Promise<Answer> {
    const { connection, keys, owner } = this.#access;
    const { overrides, index } = this.#flow;
    const sent = performance.now();
    const [obstacle, retryIn, fleet, now, ...slots] = (await connection.run(
      'permit',
      [
        ...[this.#flow.state(key), this.#flow.held(key), this.#flow.waiting(key)],
        ...[keys.leases, overrides, index],
      ],
      [
        ...[owner, key, keys.prefix, this.#options.leaseTtl],
        JSON.stringify({ ...ask, horizon: HORIZON, reserve: RESERVE, ramp: RAMP, life: LIFE }),
      ],
    )) as [Obstacle, number, number, number, ...number[]];
    this.#clock.measure(now / 1000, sent, performance.now());
    // After Redis' return the others may not be back yet.
    this.#fleet = this.#standingBack ? Math.max(this.#fleet, fleet) : fleet;
    return { slots: slots.map((at) => this.#clock.here(at / 1000)), obstacle, retryIn };
  }

  async #askShare(key: string, ask: Ask): Promise<Answer> {
    const retryIn = 1_000;
    if (this.overrides.get(key)?.paused) return { slots: [], obstacle: 'paused', retryIn };
    const answer = await this.#share.ask(key, { ...ask, limits: share(ask.limits, this.#fleet) });
    return { ...answer, retryIn: Math.min(answer.retryIn, retryIn) };
  }

  #standBack(): void {
    clearTimeout(this.#standingBack);
    this.#standingBack = setTimeout(() => {
      this.#standingBack = undefined;
      this.#events.reset();
    }, STAND_BACK);
  }

  #returned(): void {
    this.#standBack();
    this.#events.reset();
    this.#load().catch((error: unknown) => {
      this.#options.log.debug('Flow limits set at run time could not be read', { error });
    });
  }

  async #load(): Promise<void> {
    const found = await this.#access.connection.redis.hgetall(this.#flow.overrides);
    this.overrides.clear();
    for (const [key, json] of Object.entries(found)) this.#override(key, json);
  }

  #override(key: string, json: string): void {
    if (json === '') this.overrides.delete(key);
    else this.overrides.set(key, JSON.parse(json) as Override);
  }

  #receive(message: string): void {
    const [kind, key, json = ''] = JSON.parse(message) as ['cooled' | 'changed', string, string?];
    if (kind === 'cooled') return this.#events.cooled(key);
    this.#override(key, json);
    this.#events.woken(key);
  }
}

/** Of what `processes` may do together. */
function share(limits: FlowLimits, processes: number): FlowLimits {
  const { rate, concurrency } = limits;
  return {
    ...limits,
    ...(rate !== undefined && { rate: rate / processes }),
    ...(concurrency !== undefined && {
      concurrency: Math.max(1, Math.floor(concurrency / processes)),
    }),
  };
}
