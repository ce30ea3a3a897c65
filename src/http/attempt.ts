import type { Opening } from './connector.ts';
import type { Waiter } from './origin.ts';

/**
 * A connection being opened, and the requests that wait for it: one, or several as long as it may
 * turn out to be an HTTP/2 session.
 */
export class Attempt {
  readonly #first: Waiter;
  readonly #waiters = new Set<Waiter>();
  readonly #onDeserted: (attempt: Attempt) => void;
  #opening: Opening | undefined;

  constructor(first: Waiter, onDeserted: (attempt: Attempt) => void) {
    this.#first = first;
    this.#onDeserted = onDeserted;
    this.join(first);
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Not once the first has given up: what keeps it waiting would keep all who come later. */
  get isOpen(): boolean {
    return this.#waiters.has(this.#first);
  }

  join(waiter: Waiter): void {
    this.#waiters.add(waiter);
    waiter.onConnecting(this);
  }

  /** What to destroy if nobody waits any more. */
  opening(opening: Opening | undefined): void {
    this.#opening = opening;
  }

  leave(waiter: Waiter): void {
    if (!this.#waiters.delete(waiter) || this.size > 0) return;
    this.#opening?.destroy();
    this.#onDeserted(this);
  }

  /** The one that has waited longest, to be served. */
  next(): Waiter | undefined {
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter);
      return waiter;
    }
    return undefined;
  }
}
