import { ApplicationFailure, type ApplicationFailureOptions } from '@temporalio/common';
import { failureDetail } from '../shared/failure.ts';
import type { WireError } from '../shared/wire.ts';

/** The final failure of a request: Temporal does not try it again. */
export function finalFailure(error: WireError): ApplicationFailure {
  return withoutStack({
    type: error.type,
    message: error.message,
    nonRetryable: true,
    details: [failureDetail(error)],
  });
}

/** A failure after which Temporal starts the next attempt in `delay` ms. */
export function retryFailure(
  type: string,
  message: string,
  delay: number,
  error?: WireError,
): ApplicationFailure {
  return withoutStack({
    type,
    message,
    // 0 would mean "no retry" to the server.
    nextRetryDelay: Math.max(1, Math.round(delay)),
    ...(error ? { details: [failureDetail(error)] } : {}),
  });
}

/** The failure of an attempt that was not tried; the next one starts in `delay` ms. */
export function returnFailure(delay: number | undefined): ApplicationFailure {
  return delay === undefined
    ? retryFailure('Returned', 'Handed over to another worker', 1)
    : retryFailure('Returned', 'Waits for its flow key', delay);
}

/** The worker's frames say nothing of the request, and would tell history its paths. */
function withoutStack(options: ApplicationFailureOptions): ApplicationFailure {
  const failure = ApplicationFailure.create(options);
  failure.stack = '';
  return failure;
}
