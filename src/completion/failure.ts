import { ApplicationFailure } from '@temporalio/common';
import { failureDetail } from '../shared/failure.ts';
import type { WireError } from '../shared/wire.ts';

/** The final failure of a request: Temporal does not try it again. */
export function finalFailure(error: WireError): ApplicationFailure {
  return ApplicationFailure.create({
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
  return ApplicationFailure.create({
    type,
    message,
    // 0 would mean "no retry" to the server.
    nextRetryDelay: Math.max(1, Math.round(delay)),
    ...(error ? { details: [failureDetail(error)] } : {}),
  });
}
