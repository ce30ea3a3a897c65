import { MAX_TIMER } from '../shared/constants.ts';
import type { Later } from './port.ts';

/** ms. Shortest stay in Temporal. */
const LEAST = 5_000;
/** ms. Longest, but for a time before which nothing goes: limits can change meanwhile. */
const MOST = 5 * 60_000;

/** Requests of one key that were sent away: they come back one after the other, as they will have their turns. */
export class Away {
  readonly #maxWait: number;
  /** Monotonic ms at which the last of them has its turn. */
  #last = -Infinity;

  constructor(maxWait: number) {
    this.#maxWait = maxWait;
  }

  /**
   * Sends one away. All in ms: `wait`, for its turn if none were away; `blocked`, in which nothing goes;
   * `each`, from its turn to the next one's.
   */
  send({ wait, blocked, each }: { wait: number; blocked: number; each: number }): Later {
    const now = performance.now();
    const turn = Math.max(now + wait, this.#last + each);
    // Not all at the last moment, or a key would be idle for every one that is late.
    const away = turn - now - (wait > this.#maxWait ? this.#maxWait / 2 : 0);
    // Too many for that: these come to be told again, and no others wait for their turns.
    if (away <= MOST) this.#last = turn;
    const ms = Math.max(LEAST, blocked, Math.min(away, MOST));
    // Not to the ms: what is sent away together must not come back together.
    const spread = Math.min(0.2 * ms, this.#maxWait / 2) * Math.random();
    return { later: Math.ceil(Math.min(ms + spread, MAX_TIMER)) };
  }

  /** Nobody waits any more: whoever was to come back has come, or does not. */
  forget(): void {
    this.#last = -Infinity;
  }
}
