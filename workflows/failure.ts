import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  TimeoutFailure,
} from '@temporalio/common';
import type { Progress } from '../src/shared/attempt.ts';
import { isErrorType, RequestError, type FailureContext } from '../src/shared/errors.ts';
import { failureDetail, wireError } from '../src/shared/failure.ts';
import type { FailureDetail, WireError } from '../src/shared/wire.ts';

/** A failure of this request made in workflow code, in the form of those made by a worker. */
export function toFailure(error: RequestError, context: FailureContext): ApplicationFailure {
  const wire = wireError(error, context);
  return ApplicationFailure.create({
    type: wire.type,
    message: wire.message,
    nonRetryable: true,
    details: [failureDetail(wire)],
  });
}

/**
 * What the submit activity's failure is to its caller: the request's own `ApplicationFailure`,
 * or, for a cancellation, what the SDK recognises as one.
 */
export function fromActivity(failure: unknown, context: FailureContext): unknown {
  if (!(failure instanceof ActivityFailure)) return failure;
  const { cause, retryState } = failure;
  if (cause instanceof CancelledFailure) return failure;
  // A try that failed while a cancel was on its way arrives as a failure without another attempt.
  if (retryState === 'CANCEL_REQUESTED') {
    return new CancelledFailure('Cancelled between two tries', [], failure);
  }
  if (cause instanceof ApplicationFailure && isErrorType(cause.type)) return cause;
  return toFailure(foreign(cause ?? failure), context);
}

/** A failure that Temporal itself, or a data converter, put in place of ours. */
function foreign(cause: Error): RequestError {
  if (cause instanceof TimeoutFailure) {
    const progress = cause.lastHeartbeatDetails as Partial<Progress> | undefined;
    const phase = progress?.sent ? 'sent' : 'queued';
    const message = `The deadline passed in Temporal (${cause.timeoutType ?? 'timeout'})`;
    return new RequestError('TimeoutError', message, { phase, cause });
  }
  return new RequestError('UnknownError', cause.message, { cause });
}

/**
 * The request error behind a failure caught in a workflow or thrown by `PatientClient`, whether
 * it comes inline, from a child workflow or from a cancellation; undefined for any other error.
 */
export function requestError(error: unknown): WireError | undefined {
  for (let failure = error; failure instanceof Error; failure = failure.cause) {
    if (failure instanceof ApplicationFailure && isErrorType(failure.type)) {
      return { type: failure.type, ...(failure.details?.[0] as FailureDetail) };
    }
    if (failure instanceof CancelledFailure) {
      const detail = failure.details[0] as FailureDetail | undefined;
      return detail && { type: 'CancelledError', ...detail };
    }
    if (!(failure instanceof ActivityFailure || failure instanceof ChildWorkflowFailure)) break;
  }
  return undefined;
}
