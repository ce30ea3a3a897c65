import type { RetryAdvice } from '../processor/transport.ts';
import { parseHttpDate } from './http-date.ts';
import type { Headers } from './prepare.ts';
import { firstValue, untilReset } from './rate-limits.ts';

const DECIMAL = /^\d+(?:\.\d+)?$/;

/**
 * What a response's headers say about another try. The wait is the first of these that can be
 * read: `retry-after-ms`, `Retry-After` (RFC 9110 §10.2.3), the reset of a rate limit. Dates are by
 * the server's clock, which its `Date` tells; `now` stands in for one without. `x-should-retry`, as
 * the makers of several APIs send it to their own clients, is `true` or `false`.
 */
export function retryAdvice(status: number, headers: Headers, now = Date.now()): RetryAdvice {
  // Nearly no response asks for it, and reading a date costs more than all else here.
  const clock = (): number => parseHttpDate(firstValue(headers['date'])) ?? now;
  const shouldRetry = firstValue(headers['x-should-retry'])?.toLowerCase();
  return {
    retryAfter: retryAfter(headers, clock) ?? untilReset(status, headers, clock),
    shouldRetry: shouldRetry === 'true' ? true : shouldRetry === 'false' ? false : undefined,
  };
}

function retryAfter(headers: Headers, clock: () => number): number | undefined {
  const ms = firstValue(headers['retry-after-ms']);
  if (ms !== undefined && DECIMAL.test(ms)) return Math.ceil(Number(ms));

  const value = firstValue(headers['retry-after']);
  if (value !== undefined && DECIMAL.test(value)) return Math.ceil(Number(value) * 1000);
  const at = parseHttpDate(value);
  return at === undefined ? undefined : Math.max(0, at - clock());
}
