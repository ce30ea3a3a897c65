/** ms of a turn of the event loop; the sockets of what is started take several times as much of the next. */
const SHARE = 5;

/** Lets heartbeats and responses have the event loop while thousands of requests are started. */
export class LoopTurns {
  #began = 0;
  #next: Promise<void> | undefined;

  /** Undefined while there is time left in this turn. */
  wait(): Promise<void> | undefined {
    if (this.#next) return performance.now() - this.#began < SHARE ? undefined : this.#next;
    this.#began = performance.now();
    this.#next = new Promise((resolve) => {
      setImmediate(() => {
        this.#next = undefined;
        resolve();
      });
    });
    return undefined;
  }
}
