import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** @default 10_000 */
  timeout?: number;
  /** @default 10 */
  interval?: number;
  /** What was waited for, in the words of the failure. */
  message?: string | (() => string);
}

/** Polls until the condition gives something truthy, and resolves with that. */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeout = 10_000, interval = 10, message = condition.toString() }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > deadline) {
      const what = typeof message === 'function' ? message() : message;
      throw new Error(`Not so after ${timeout} ms: ${what}`);
    }
    await delay(interval);
  }
}
