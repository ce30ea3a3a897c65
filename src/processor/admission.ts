interface Waiter {
  grant(): void;
}

/**
 * The one bound on requests in flight. A place is taken either by a task on the wire or by a
 * reservation: the permit of a poller that may bring the next task. A full processor makes both
 * wait; it never refuses.
 */
export class Admission {
  readonly #max: number;
  readonly #onFull: () => void;
  readonly #tasks = new Set<Waiter>();
  readonly #reservations = new Set<Waiter>();
  #taken = 0;

  constructor(max: number, onFull: () => void) {
    this.#max = max;
    this.#onFull = onFull;
  }

  /** A place for a task in hand; these go before reservations, or a task could starve. */
  enter(signal: AbortSignal): Promise<void> {
    return this.#take(this.#tasks, signal);
  }

  /** A place for a task yet to come. */
  reserve(signal: AbortSignal): Promise<void> {
    return this.#take(this.#reservations, signal);
  }

  /** A reservation if there is room at once. */
  tryReserve(): boolean {
    if (this.#taken >= this.#max) return false;
    this.#taken++;
    return true;
  }

  leave(): void {
    this.#taken--;
    for (const queue of [this.#tasks, this.#reservations]) {
      for (const waiter of queue) {
        if (this.#taken >= this.#max) return;
        queue.delete(waiter);
        this.#taken++;
        waiter.grant();
      }
    }
  }

  #take(queue: Set<Waiter>, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.tryReserve()) return Promise.resolve();
    this.#onFull();
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        queue.delete(waiter);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        grant() {
          signal.removeEventListener('abort', abort);
          resolve();
        },
      };
      queue.add(waiter);
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}
