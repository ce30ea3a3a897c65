import { ApplicationFailure, type ApplicationFailureOptions } from '@temporalio/common';
import { excerpt } from '../processor/ending.ts';
import type { Interruption } from '../processor/owned-task.ts';
import { PayloadError, RequestError } from '../shared/errors.ts';
import { failureDetail, wireError } from '../shared/failure.ts';
import type { HeldResponse } from '../shared/held-response.ts';
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

/** The same without what a codec has to take, for one that takes nothing. */
export function bareFailure({ type }: ApplicationFailure) {
  const message = `A request ended with ${type}, and how could not be encoded; the worker log says why`;
  return { message, applicationFailureInfo: { type: type ?? null, nonRetryable: true } };
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

/**
 * In place of a response that could not be encoded: as much of it as a failure holds, it was paid for.
 * `late`: what has ended the wait for it.
 */
export function unencodable(
  response: HeldResponse,
  cause: unknown,
  late: Interruption | undefined,
): WireError {
  const start = excerpt(response);
  const message = `The response could not be encoded for Temporal; ${reasonOf(cause)}`;
  const options = { phase: 'sent' as const, response: start, cause };
  const type = late === 'given-up' ? 'OutcomeUnknownError' : 'UnknownError';
  return wireError(new RequestError(type, message, options), start);
}

/** What a codec of the user's says is for the log: it may hold anything. */
export function reasonOf(error: unknown): string {
  return error instanceof PayloadError ? error.message : 'the worker log says why';
}

/** The worker's frames say nothing of the request, and would tell history its paths. */
function withoutStack(options: ApplicationFailureOptions): ApplicationFailure {
  const failure = ApplicationFailure.create(options);
  failure.stack = '';
  return failure;
}
