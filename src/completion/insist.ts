import { isGrpcServiceError } from '@temporalio/client';
import type { Log } from '../shared/log.ts';

const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 10_000;
const INVALID_ARGUMENT = 3;

/** The same call would be refused again, however often it is made. */
export function isRefused(error: unknown): boolean {
  return isGrpcServiceError(error) && error.code === INVALID_ARGUMENT;
}

/** Whoever waits between two calls, and may have reasons to wait no longer. */
export interface Waiter {
  pause(ms: number): Promise<void>;
}

/** Repeats calls to Temporal until they are answered; an outage is logged once, not per request. */
export class Insistence {
  readonly #temporal: Outage;
  readonly #codec: Outage;

  constructor(log: Log) {
    this.#temporal = new Outage(log, 'Temporal does not answer', 'Temporal answers again');
    this.#codec = new Outage(log, 'The payload codec fails', 'The payload codec works again');
  }

  /**
   * The answer of `call`, made again with back-off while Temporal gives none; undefined once `go`
   * says no. Throws only what Temporal refuses for good.
   */
  async call<T>(waiter: Waiter, go: () => boolean, call: () => Promise<T>): Promise<T | undefined> {
    let wasUnencoded = false;
    for (let failures = 1; go(); failures++) {
      try {
        const result = await call();
        this.#temporal.end();
        // Not every call has something to encode.
        if (wasUnencoded) this.#codec.end();
        return result;
      } catch (error) {
        if (isRefused(error)) throw error;
        // What a call carries is encoded first: that it fails says nothing of Temporal.
        const isTemporal = isGrpcServiceError(error);
        (isTemporal ? this.#temporal : this.#codec).failed(error);
        wasUnencoded ||= !isTemporal;
        const pause = Math.min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE);
        await waiter.pause(pause * (0.5 + 0.5 * Math.random()));
      }
    }
    if (wasUnencoded) this.#codec.forget();
    return undefined;
  }
}

class Outage {
  readonly #log: Log;
  readonly #begins: string;
  readonly #ends: string;
  #failures = 0;

  constructor(log: Log, begins: string, ends: string) {
    this.#log = log;
    this.#begins = begins;
    this.#ends = ends;
  }

  failed(error: unknown): void {
    this.#failures++;
    if (this.#failures > 1) return;
    this.#log.warn(`${this.#begins}; what is to be delivered is kept`, { error });
  }

  end(): void {
    if (this.#failures === 0) return;
    this.#log.info(this.#ends, { failedCalls: this.#failures });
    this.#failures = 0;
  }

  /** Nobody waits for its end any more: the next failure is another outage. */
  forget(): void {
    this.#failures = 0;
  }
}
