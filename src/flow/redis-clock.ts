/** ms by which a measured offset loses precision per second: clocks drift, and Redis' can be set. */
const AGING = 1;

/**
 * Redis' time on this process's monotonic clock. An answer that took long, on the way or in a stalled
 * process, says little of when it was given: the quickest of late counts.
 */
export class RedisClock {
  /** Redis' ms minus ours. */
  #offset = 0;
  #precision = Infinity;
  #measuredAt = 0;

  /** `sent` and `received` are ours, `redis` lies between them. */
  measure(redis: number, sent: number, received: number): void {
    const precision = received - sent;
    const aged = this.#precision + ((received - this.#measuredAt) / 1000) * AGING;
    if (precision > aged) return;
    this.#offset = redis - (sent + received) / 2;
    this.#precision = precision;
    this.#measuredAt = received;
  }

  /** Monotonic ms here at a time of Redis. */
  here(redis: number): number {
    return redis - this.#offset;
  }
}
