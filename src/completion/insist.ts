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
  readonly #log: Log;
  #failures = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * The answer of `call`, made again with back-off while Temporal gives none; undefined once `go`
   * says no. Throws only what Temporal refuses for good.
   */
  async call<T>(waiter: Waiter, go: () => boolean, call: () => Promise<T>): Promise<T | undefined> {
    for (let failures = 1; go(); failures++) {
      try {
        const result = await call();
        this.#answered();
        return result;
      } catch (error) {
        if (isRefused(error)) throw error;
        this.#unanswered(error);
        const pause = Math.min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE);
        await waiter.pause(pause * (0.5 + 0.5 * Math.random()));
      }
    }
    return undefined;
  }

  #unanswered(error: unknown): void {
    this.#failures++;
    if (this.#failures === 1) {
      this.#log.warn('Temporal does not answer; what is to be delivered is kept', { error });
    }
  }

  #answered(): void {
    if (this.#failures === 0) return;
    this.#log.info('Temporal answers again', { failedCalls: this.#failures });
    this.#failures = 0;
  }
}
