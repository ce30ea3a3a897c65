import type { FlowLimits } from '../shared/flow-limits.ts';
import {
  HORIZON,
  RAMP,
  RESERVE,
  type Answer,
  type Ask,
  type Ledger,
  type LedgerEvents,
} from './ledger.ts';
import type { FlowKey, Override } from './port.ts';

interface KeyState {
  /** Monotonic ms at which the key's bucket is empty. */
  tat: number;
  /** Monotonic ms at which the last cool-down ends. */
  cool: number;
  failures: number;
  held: number;
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
    const limits = { ...ask.limits, ...this.overrides.get(key) };
    const { paused, breaker, burst = 1 } = limits;
    let interval = intervalOf(limits);
    state.held = ask.held;
    this.#learn(key, state, ask, { ...limits, interval }, now);
    const since = now - state.cool;
    let limit = limits.concurrency ?? Infinity;
    let retryIn = LONGEST;
    if (breaker && state.failures >= breaker.failures) {
      limit = 1;
    } else if (since >= 0 && since < RAMP) {
      if (interval !== undefined) interval *= RAMP / Math.max(since, RAMP / 10);
      if (limits.concurrency !== undefined || interval === undefined) {
        limit = Math.min(limit, 2 ** Math.floor(since / 1000));
        retryIn = 1000 - (since % 1000);
      }
    }
    if (paused) return { slots: [], obstacle: 'paused', retryIn: LONGEST };
    if (since < 0) return { slots: [], obstacle: 'cool', retryIn: -since };

    const most = Math.min(ask.costs.length, Math.max(0, limit - ask.held));
    const slots: number[] = [];
    for (const cost of ask.costs.slice(0, most)) {
      if (interval !== undefined) {
        const ahead = Math.max(0, state.tat - Math.max(0, burst - cost) * interval - now);
        if (ahead > RESERVE || (ahead > HORIZON && slots.length > 0)) {
          return { slots, obstacle: 'rate', retryIn: Math.max(1, ahead - HORIZON / 2) };
        }
        state.tat = Math.max(now, state.tat) + cost * interval;
        slots.push(now + ahead);
      } else {
        slots.push(now);
      }
      state.held++;
    }
    const obstacle = most < ask.costs.length ? 'concurrency' : 'none';
    return { slots, obstacle, retryIn };
  }

  async list(): Promise<FlowKey[]> {
    const keys = new Set([...this.#states.keys(), ...this.overrides.keys()]);
    return Promise.all([...keys].map((key) => this.show(key)));
  }

  async show(key: string): Promise<FlowKey> {
    const now = performance.now();
    const { held = 0, tat = 0, cool = 0, failures = 0 } = this.#states.get(key) ?? {};
    const override = this.overrides.get(key) ?? {};
    return {
      key,
      paused: override.paused ?? false,
      override,
      inFlight: held,
      nextIn: Math.max(0, Math.ceil(tat - now)),
      coolFor: Math.max(0, Math.ceil(cool - now)),
      failures,
    };
  }

  async set(key: string, limits: FlowLimits | undefined): Promise<void> {
    this.#override(key, limits && { ...this.overrides.get(key), ...limits });
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

  #override(key: string, override: Override | undefined): void {
    if (override && Object.keys(override).length > 0) this.overrides.set(key, override);
    else this.overrides.delete(key);
    this.#events?.woken(key);
  }

  #learn(
    key: string,
    state: KeyState,
    { spent, cool, failures, succeeded }: Ask,
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
    }
    if (state.cool > before && state.cool > now) this.#events?.cooled(key);
  }

  #stateOf(key: string, now: number): KeyState {
    let state = this.#states.get(key);
    if (!state) {
      this.#sweep(now);
      state = { tat: -Infinity, cool: -Infinity, failures: 0, held: 0 };
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

function intervalOf({ rate, period }: FlowLimits): number | undefined {
  return rate === undefined ? undefined : period! / rate;
}
