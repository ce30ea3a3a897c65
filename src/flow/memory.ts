import type { FlowLimits } from '../shared/flow-limits.ts';
import { completed } from './change.ts';
import {
  HORIZON,
  LIFE,
  RAMP,
  RESERVE,
  type Answer,
  type Ask,
  type Ledger,
  type LedgerEvents,
  type Slot,
} from './ledger.ts';
import { intervalOf } from './pace.ts';
import { pageOf } from './page.ts';
import { inForce, type FlowKey, type FlowPage, type FlowQuery, type Override } from './port.ts';

interface KeyState {
  /** Monotonic ms at which the key's bucket is empty. */
  tat: number;
  /** Units granted ever. */
  taken: number;
  /** Monotonic ms of the last slot. */
  last: number;
  /** ms from unit to unit that it was counted by. */
  interval: number | undefined;
  /** Monotonic ms at which the last cool-down ends. */
  cool: number;
  failures: number;
  held: number;
  /** As last stated, without what was set at run time. */
  limits: FlowLimits | undefined;
  /** Monotonic ms */
  statedAt: number;
}

/** ms. A permit here is given back by who has it: nothing but a change is waited for. */
const LONGEST = 60_000;
/** Keys looked through for those that nobody remembers, when there are twice as many as before. */
const MIN_SWEEP = 1_000;

/** The limits of one process: what permit-6.lua does for a fleet, without the line of processes. */
export class MemoryLedger implements Ledger {
  readonly overrides = new Map<string, Override>();
  readonly #states = new Map<string, KeyState>();
  #sweepAt = MIN_SWEEP;
  #events: LedgerEvents | undefined;

  async start(events: LedgerEvents): Promise<void> {
    this.#events = events;
  }

  async ask(key: string, ask: Ask): Promise<Answer> {
    const now = performance.now();
    const state = this.#stateOf(key, now);
    if (ask.stated || !state.limits) {
      state.limits = ask.limits;
      state.statedAt = now;
    } else if (now - state.statedAt >= LIFE) {
      state.limits = {};
    }
    const said = { limits: state.limits, heard: true };
    const limits = { ...state.limits, ...this.overrides.get(key) };
    const { paused, breaker } = limits;
    let { burst = 1 } = limits;
    let interval = intervalOf(limits);
    state.held = ask.held;
    if (interval !== undefined) {
      // What is in the bucket flows off at the new rate.
      const { tat } = state;
      if (tat > now) state.tat = now + (tat - now) * (interval / (state.interval ?? interval));
      state.interval = interval;
    }
    this.#learn(key, state, ask, { ...limits, interval }, now);
    const since = now - state.cool;
    let limit = limits.concurrency ?? Infinity;
    let retryIn = LONGEST;
    if (breaker && state.failures >= breaker.failures) {
      limit = 1;
    } else if (since >= 0 && since < RAMP) {
      const share = Math.max(since / RAMP, 0.1);
      burst = Math.max(1, burst * share);
      if (interval !== undefined) interval /= share;
      if (limits.concurrency !== undefined || interval === undefined) {
        limit = Math.min(limit, 2 ** Math.floor(since / 1000));
        retryIn = 1000 - (since % 1000);
      }
    }
    if (paused) return { slots: [], obstacle: 'paused', retryIn: LONGEST, ...said };
    if (since < 0) return { slots: [], obstacle: 'cool', retryIn: -since, ...said };

    const most = Math.min(ask.costs.length, Math.max(0, limit - ask.held));
    const slots: Slot[] = [];
    for (const cost of ask.costs.slice(0, most)) {
      if (interval !== undefined) {
        const room = state.tat - Math.max(0, burst - cost) * interval;
        const ahead = Math.max(0, state.last - now, room - now);
        if (ahead > RESERVE || (ahead > HORIZON && slots.length > 0)) {
          return { slots, obstacle: 'rate', retryIn: Math.max(1, ahead - HORIZON / 2), ...said };
        }
        state.last = now + ahead;
        state.tat = Math.max(state.last, state.tat) + cost * interval;
      }
      state.taken += cost;
      slots.push({ at: interval === undefined ? now : state.last, mark: state.taken });
      state.held++;
    }
    const obstacle = most < ask.costs.length ? 'concurrency' : 'none';
    return { slots, obstacle, retryIn, ...said };
  }

  async list(query: FlowQuery = {}): Promise<FlowPage> {
    const keys = new Set([...this.#states.keys(), ...this.overrides.keys()]);
    const all = [...keys].map((key) => this.#shown(key));
    return pageOf(all, query);
  }

  async show(key: string): Promise<FlowKey> {
    return this.#shown(key);
  }

  async set(key: string, limits: FlowLimits | undefined): Promise<void> {
    const { override, limits: before } = this.#shown(key);
    this.#override(key, limits && { ...override, ...completed(limits, before) });
  }

  async pause(key: string): Promise<void> {
    this.#override(key, { ...this.overrides.get(key), paused: true });
  }

  async resume(key: string): Promise<void> {
    const { paused: _, ...rest } = this.overrides.get(key) ?? {};
    this.#override(key, rest);
  }

  async stop(): Promise<void> {
    this.#events = undefined;
  }

  #shown(key: string): FlowKey {
    const now = performance.now();
    const state = this.#states.get(key);
    const { held = 0, tat = 0, cool = 0, failures = 0 } = state ?? {};
    const override = this.overrides.get(key) ?? {};
    return {
      key,
      paused: override.paused ?? false,
      override,
      limits: inForce(state?.limits, override),
      inFlight: held,
      nextIn: Math.max(0, Math.ceil(tat - now)),
      coolFor: Math.max(0, Math.ceil(cool - now)),
      failures,
    };
  }

  #override(key: string, override: Override | undefined): void {
    if (override && Object.keys(override).length > 0) this.overrides.set(key, override);
    else this.overrides.delete(key);
    if (override?.paused) this.#events?.cooled(key);
    else this.#events?.woken(key);
  }

  #learn(
    key: string,
    state: KeyState,
    { spent, unused, cool, failures, succeeded }: Ask,
    { breaker, interval }: FlowLimits & { interval: number | undefined },
    now: number,
  ): void {
    const before = state.cool;
    if (succeeded) {
      // A probe came through: back to the limits, slowly.
      if (breaker && state.failures >= breaker.failures) state.cool = now;
      state.failures = 0;
    }
    state.failures += failures;
    if (cool > 0) state.cool = Math.max(state.cool, now + cool);
    if (breaker && failures > 0 && state.failures >= breaker.failures) {
      state.cool = Math.max(state.cool, now + breaker.openFor);
    }
    if (interval !== undefined) {
      if (spent > 0) state.tat = Math.max(state.tat, now);
      state.tat += spent * interval;
      // What was granted after it may have come to an empty bucket: all of that stays in it.
      const since = Math.max(now, state.last);
      for (const { units, mark } of unused) {
        const least = Math.max(
          state.tat - units * interval,
          since + (state.taken - mark) * interval,
        );
        state.tat = Math.min(state.tat, least);
      }
    }
    if (state.cool > before && state.cool > now) this.#events?.cooled(key);
  }

  #stateOf(key: string, now: number): KeyState {
    let state = this.#states.get(key);
    if (!state) {
      this.#sweep(now);
      state = {
        ...{ tat: -Infinity, taken: 0, last: -Infinity },
        interval: undefined,
        cool: -Infinity,
        failures: 0,
        held: 0,
        ...{ limits: undefined, statedAt: now },
      };
      this.#states.set(key, state);
    }
    return state;
  }

  /** Forgets the keys whose state is that of a new one. */
  #sweep(now: number): void {
    if (this.#states.size < this.#sweepAt) return;
    for (const [key, { tat, cool, failures, held }] of this.#states) {
      if (tat < now && cool + RAMP < now && failures === 0 && held === 0) this.#states.delete(key);
    }
    this.#sweepAt = Math.max(MIN_SWEEP, 2 * this.#states.size);
  }
}
