import type { RedisAccess } from '../liveness/redis.ts';
import type { FlowLimits } from '../shared/flow-limits.ts';
import type { Log } from '../shared/log.ts';
import { HORIZON, LIFE, RAMP, RESERVE, type Answer, type Ask, type Obstacle } from './ledger.ts';
import type { Ledger, LedgerEvents } from './ledger.ts';
import { MemoryLedger } from './memory.ts';
import { SLACK } from './pace.ts';
import { inForce, type FlowKey, type FlowPage, type FlowQuery, type Override } from './port.ts';
import { RedisFlowAdmin } from './redis-admin.ts';
import { RedisClock } from './redis-clock.ts';
import { flowKeysOf, type FlowKeys } from './redis-keys.ts';

export interface RedisLedgerOptions {
  /** The liveness' connection and lease; asked for at the start. */
  access: () => RedisAccess;
  /** Processes that share the limits, as far as is known. */
  living: () => number;
  /** ms */
  leaseTtl: number;
  log: Log;
}

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
  /** Living processes when Redis went: after its return the others may not be back yet. */
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
      const { concurrency = 0 } = share(this.#inForce(key, ask), this.#fleet);
      const held = ask.costs.length > 0 ? Math.max(ask.held, concurrency) : ask.held;
      await this.#decide(key, { ...ask, held, costs: [] }).catch(() => undefined);
      return this.#askShare(key, ask);
    }
    try {
      return await this.#decide(key, ask);
    } catch (error) {
      if (!this.#standingBack) {
        const processes = this.#options.living();
        this.#options.log.warn('Flow limits: this process goes on with its share', {
          error,
          processes,
        });
      }
      this.#standBack();
      return this.#askShare(key, ask);
    }
  }

  list(query?: FlowQuery): Promise<FlowPage> {
    return this.#admin.list(query);
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
    const [obstacle, retryIn, now, taken, limits, ...slots] = (await connection.run(
      'permit',
      [
        ...[this.#flow.state(key), this.#flow.held(key), this.#flow.waiting(key)],
        ...[keys.leases, overrides, index],
      ],
      [
        ...[owner, key, keys.prefix, this.#options.leaseTtl],
        JSON.stringify({
          ...ask,
          ...{ horizon: HORIZON, reserve: RESERVE, ramp: RAMP, life: LIFE, slack: SLACK },
        }),
      ],
    )) as [Obstacle, number, number, string, string, ...number[]];
    this.#clock.measure(now / 1000, sent, performance.now());
    let mark = Number(taken);
    const granted = slots.map((at, index) => {
      mark += ask.costs[index]!;
      return { at: this.#clock.here(at / 1000), mark };
    });
    return {
      ...{ slots: granted, obstacle, retryIn, heard: true },
      limits: ask.stated ? ask.limits : (JSON.parse(limits) as FlowLimits),
    };
  }

  /** As Redis would have it. */
  #inForce(key: string, { limits }: Ask): FlowLimits {
    return inForce(limits, this.overrides.get(key) ?? {});
  }

  async #askShare(key: string, ask: Ask): Promise<Answer> {
    const retryIn = 1_000;
    const said = { limits: ask.limits, heard: false };
    if (this.overrides.get(key)?.paused) return { slots: [], obstacle: 'paused', retryIn, ...said };
    const limits = share(this.#inForce(key, ask), this.#fleet);
    // Marks are of the fleet's count.
    const answer = await this.#share.ask(key, { ...ask, limits, stated: true, unused: [] });
    const slots = answer.slots.map(({ at }) => ({ at, mark: undefined }));
    return { ...answer, slots, retryIn: Math.min(answer.retryIn, retryIn), ...said };
  }

  #standBack(): void {
    if (!this.#standingBack) this.#fleet = this.#options.living();
    clearTimeout(this.#standingBack);
    this.#standingBack = setTimeout(() => {
      // Its return begins this anew.
      if (!this.#access.connection.usable) return;
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
    if (this.overrides.get(key)?.paused) this.#events.cooled(key);
    else this.#events.woken(key);
  }
}

/** Of what `processes` may do together. */
function share(limits: FlowLimits, processes: number): FlowLimits {
  const { rate, burst, concurrency } = limits;
  return {
    ...limits,
    ...(rate !== undefined && { rate: rate / processes }),
    ...(burst !== undefined && { burst: Math.max(1, burst / processes) }),
    ...(concurrency !== undefined && {
      concurrency: Math.max(1, Math.floor(concurrency / processes)),
    }),
  };
}
