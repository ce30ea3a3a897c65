import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** @default 45_000 */
  timeout?: number;
  /** @default 10 */
  interval?: number;
  /** What was waited for, in the words of the failure. */
  message?: string | (() => string);
}

type Truthy<T> = Exclude<T, undefined | null | false | 0 | ''>;

/**
 * Polls until the condition gives something truthy, and resolves with that. The bound is the
 * condition's too: one that does not answer fails here, with the message, not by the test's timeout.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeout = 45_000, interval = 10, message = condition.toString() }: WaitOptions = {},
): Promise<Truthy<T>> {
  const ended = new AbortController();
  const tooLate = delay(timeout, undefined, { signal: ended.signal }).then(() => {
    const what = typeof message === 'function' ? message() : message;
    throw new Error(`Not so after ${timeout} ms: ${what}`);
  });
  tooLate.catch(() => undefined);
  try {
    for (;;) {
      const value = await Promise.race([condition(), tooLate]);
      if (value) return value as Truthy<T>;
      await Promise.race([delay(interval), tooLate]);
    }
  } finally {
    ended.abort();
  }
}
