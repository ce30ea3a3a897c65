interface Waiter {
  grant(): void;
}

/**
 * The one bound on requests in flight. A place is reserved before its request is even asked for,
 * so a full processor makes others wait, in order of arrival, and refuses nobody. A closed one, as
 * before the start and from the drain on, grants none at all.
 *
 * A poller's reservation becomes its task's place at once, although Temporal gives the slot back
 * only some time later: reservations are alike, so the number taken over is all there is to know.
 */
export class Admission {
  readonly #max: number;
  readonly #onFull: () => void;
  readonly #waiters = new Set<Waiter>();
  #isOpen = false;
  #taken = 0;
  #takenOver = 0;

  constructor(max: number, onFull: () => void) {
    this.#max = max;
    this.#onFull = onFull;
  }

  open(): void {
    this.#isOpen = true;
    this.#grant();
  }

  close(): void {
    this.#isOpen = false;
  }

  /** A place, as soon as there is one. Rejects with the signal's reason when it aborts first. */
  reserve(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.tryReserve()) return Promise.resolve();
    if (this.#isOpen) this.#onFull();
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiters.delete(waiter);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        grant() {
          signal.removeEventListener('abort', abort);
          resolve();
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  /** A place if there is one now. */
  tryReserve(): boolean {
    if (!this.#hasPlace) return false;
    this.#taken++;
    return true;
  }

  /** Ends a reservation. Its place is free, unless a task has taken it over. */
  release(): void {
    if (this.#takenOver > 0) this.#takenOver--;
    else this.leave();
  }

  /** A task arrives on a reservation and has its place from now on. */
  takeOver(): void {
    this.#takenOver++;
  }

  /** A task gives up its place. */
  leave(): void {
    this.#taken--;
    this.#grant();
  }

  get #hasPlace(): boolean {
    return this.#isOpen && this.#taken < this.#max;
  }

  #grant(): void {
    for (const waiter of this.#waiters) {
      if (!this.#hasPlace) return;
      this.#waiters.delete(waiter);
      this.#taken++;
      waiter.grant();
    }
  }
}
