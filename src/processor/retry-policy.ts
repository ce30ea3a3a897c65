import type { RequestError } from '../shared/errors.ts';
import type { ResolvedRequest } from '../shared/resolved-request.ts';

/** The server says it did not process the request: RFC 8470 §5.2, RFC 6585 §4. */
const NOT_PROCESSED = new Set([425, 429]);

/**
 * Whether a response leads to another try. `shouldRetry`, the server's own word, overrules
 * `retry.statuses`: `false` ends it here, `true` does as if an error status were listed. It does not
 * say that nothing was processed, so a request that may not be sent again still needs a status
 * that does.
 */
export function retriesStatus(
  status: number,
  request: ResolvedRequest,
  shouldRetry: boolean | undefined,
): boolean {
  if (shouldRetry === false) return false;
  const asked = shouldRetry === true && status >= 400;
  if (!asked && !request.retry.statuses.includes(status)) return false;
  return request.resendable || NOT_PROCESSED.has(status);
}

/** ms from a delay's end to the next try: Temporal's dispatch, rounded up. */
export const DISPATCH = 1_000;

/** What was never sent can always be tried again; what was sent only if it may be re-sent. */
export function retriesError(error: RequestError, request: ResolvedRequest): boolean {
  return error.transient && (error.phase !== 'sent' || request.resendable);
}

/**
 * ms to wait before try `tryNumber + 1`, or undefined when this was the last one: attempts are
 * used up, or the next would start after the deadline. Temporal would end such an activity
 * without asking us again, and the last response would be lost.
 */
export function nextTryIn(
  request: ResolvedRequest,
  tryNumber: number,
  retryAfter: number | undefined,
  remaining: number,
  random: () => number = Math.random,
): number | undefined {
  const { maximumAttempts, initialInterval, backoffCoefficient, maximumInterval, maxRetryAfter } =
    request.retry;
  if (tryNumber >= maximumAttempts) return undefined;
  const backoff = Math.min(
    initialInterval * backoffCoefficient ** (tryNumber - 1),
    maximumInterval,
  );
  const delay =
    retryAfter === undefined
      ? Math.round(backoff * (0.8 + 0.4 * random()))
      : Math.min(retryAfter, maxRetryAfter);
  return delay + DISPATCH < remaining ? delay : undefined;
}
