import { setTimeout as pause } from 'node:timers/promises';
import type { FlowLimits } from '../shared/flow-limits.ts';
import { costIn } from './cost.ts';
import type { KeyQueue } from './key-queue.ts';
import { NOTHING, type Report } from './ledger.ts';
import type { Later, Permit, Seen } from './port.ts';

/** ms after its time for which a request may still go; what is later must get a new time. */
const TOLERANCE = 100;

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
  /** Monotonic ms at which it may go. */
  slot: number;
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
    if (this.#grant.limits.rate === undefined) return undefined;
    const late = performance.now() - this.#grant.slot;
    if (late >= 0 && late <= TOLERANCE) return undefined;
    return this.#becomeReady(AbortSignal.any([signal, this.#over.signal]));
  }

  async #becomeReady(signal: AbortSignal): Promise<Later | undefined> {
    for (;;) {
      const { slot, demand } = this.#grant;
      const now = performance.now();
      if (now < slot) {
        await pause(Math.ceil(slot - now), undefined, { signal });
      } else if (now <= slot + TOLERANCE) {
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

  #reportOf(seen: Seen): Report {
    if (seen === 'nothing') return NOTHING;
    const { breaker } = this.#grant.limits;
    if (seen === 'failed') return { ...NOTHING, failures: breaker ? 1 : 0 };
    const { status, retryAfter = 0 } = seen;
    const busy = BUSY.has(status);
    const failed = status >= 500;
    return {
      spent: this.#spent(seen),
      cool: busy ? retryAfter : 0,
      failures: breaker && failed ? 1 : 0,
      succeeded: breaker !== undefined && !failed && !busy,
    };
  }

  /** Units beyond the estimate; negative: units that nobody has used. */
  #spent(seen: Exclude<Seen, string>): number {
    const { demand, limits, slot } = this.#grant;
    if (demand.pointer === undefined || limits.rate === undefined) return 0;
    const spent = (costIn(seen, demand.pointer) ?? demand.cost) - demand.cost;
    if (spent >= 0) return spent;
    // What has flowed off meanwhile would have flowed off an empty key as well: it is gone.
    const flowedOff = ((performance.now() - slot) * limits.rate) / limits.period!;
    return Math.min(0, spent + Math.max(0, flowedOff));
  }
}
