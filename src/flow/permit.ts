import { setTimeout as pause } from 'node:timers/promises';
import type { FlowLimits } from '../shared/flow-limits.ts';
import { costIn } from './cost.ts';
import type { KeyQueue } from './key-queue.ts';
import { NOTHING, type Report, type Slot } from './ledger.ts';
import { toleranceOf } from './pace.ts';
import type { Later, Permit, Seen } from './port.ts';

/** Statuses by which a server asks to be left alone for a while: RFC 6585 §4, RFC 9110 §15.6.4. */
const BUSY = new Set([429, 503]);

/** What one request takes of its key. */
export interface Demand {
  cost: number;
  pointer: string | undefined;
}

export interface Grant {
  demand: Demand;
  limits: FlowLimits;
  slot: Slot;
  /** How often the key had been cooled or paused. */
  cooled: number;
}

export class FlowPermit implements Permit {
  readonly #queue: KeyQueue;
  #grant: Grant;
  #released = false;
  /** Stops a wait that whoever waits has left: a try can end by a timer of its own. */
  readonly #over = new AbortController();

  constructor(queue: KeyQueue, grant: Grant) {
    this.#queue = queue;
    this.#grant = grant;
  }

  /**
   * The target sees what goes out, not what was granted: a connection that took long, a stall of the
   * process or a wait for Temporal must not let requests of several slots go together.
   */
  ready(signal: AbortSignal): Promise<Later | undefined> | undefined {
    // It has waited for its place, or for Temporal: not any longer with a place.
    if (this.#isCooled) return Promise.resolve(this.#queue.sendAway(this.#grant.demand));
    if (this.#grant.limits.rate === undefined) return undefined;
    const late = performance.now() - this.#grant.slot.at;
    if (late >= 0 && late <= toleranceOf(this.#grant.limits)) return undefined;
    return this.#becomeReady(AbortSignal.any([signal, this.#over.signal]));
  }

  async #becomeReady(signal: AbortSignal): Promise<Later | undefined> {
    for (;;) {
      // Whoever had it may have given it back before the gate was reached.
      signal.throwIfAborted();
      const { slot, demand, limits } = this.#grant;
      const now = performance.now();
      if (now < slot.at) {
        await pause(Math.ceil(slot.at - now), undefined, { signal });
        if (this.#isCooled) return this.#queue.sendAway(demand);
      } else if (now <= slot.at + toleranceOf(limits)) {
        return undefined;
      } else {
        this.#released = true;
        const turn = await this.#queue.takeAgain(demand, signal);
        if ('later' in turn) return turn;
        if (signal.aborted) turn.release('nothing');
        signal.throwIfAborted();
        this.#released = false;
        this.#grant = turn.#grant;
      }
    }
  }

  release(seen: Seen): void {
    this.#over.abort();
    if (this.#released) return;
    this.#released = true;
    this.#queue.release(this.#reportOf(seen));
  }

  /** The key was to be left alone after this was granted. */
  get #isCooled(): boolean {
    return this.#grant.cooled !== this.#queue.cooled;
  }

  #reportOf(seen: Seen): Report {
    if (seen === 'nothing') return NOTHING;
    const { breaker } = this.#grant.limits;
    if (seen === 'failed') return { ...NOTHING, failures: breaker ? 1 : 0 };
    const { status, retryAfter = 0 } = seen;
    const busy = BUSY.has(status);
    const failed = status >= 500;
    return {
      ...this.#settled(seen),
      cool: busy ? retryAfter : 0,
      failures: breaker && failed ? 1 : 0,
      succeeded: breaker !== undefined && !failed && !busy,
    };
  }

  /** By how much the estimate was wrong. */
  #settled(seen: Exclude<Seen, string>): Pick<Report, 'spent' | 'unused'> {
    const { demand, limits, slot } = this.#grant;
    if (demand.pointer === undefined || limits.rate === undefined) return NOTHING;
    const units = demand.cost - (costIn(seen, demand.pointer) ?? demand.cost);
    if (units <= 0) return { spent: -units, unused: [] };
    return { spent: 0, unused: slot.mark === undefined ? [] : [{ units, mark: slot.mark }] };
  }
}
