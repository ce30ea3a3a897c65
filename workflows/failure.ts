import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  TimeoutFailure,
} from '@temporalio/common';
import type { Progress } from '../src/shared/attempt.ts';
import {
  ERROR_WORDS,
  isErrorType,
  RequestError,
  type FailureContext,
} from '../src/shared/errors.ts';
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
    const message = 'Cancelled between two tries';
    const { phase = 'queued', attempt = 1 } = detailOf(cause) ?? {};
    const error = new RequestError('CancelledError', message, { phase });
    const detail = failureDetail(wireError(error, { ...context, attempt }));
    return new CancelledFailure(message, [detail], failure);
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
 * The request error behind a failure caught in a workflow or by a client, whether it comes inline,
 * from a child workflow or from a cancellation; undefined for any other error.
 */
export function requestError(error: unknown): WireError | undefined {
  for (let failure = error; failure instanceof Error; failure = failure.cause) {
    const detail = detailOf(failure);
    if (detail && failure instanceof CancelledFailure) {
      return { type: 'CancelledError', ...detail };
    }
    if (detail && failure instanceof ApplicationFailure && isErrorType(failure.type)) {
      return { type: failure.type, ...detail };
    }
    if (!WRAPPERS.has(failure.name)) break;
  }
  return undefined;
}

/** By name: workflow code cannot import the client's. */
const WRAPPERS = new Set(['ActivityFailure', 'ChildWorkflowFailure', 'WorkflowFailedError']);

/** Users' own failures can bear our names; none bears our detail. */
function detailOf(failure: Error | undefined): FailureDetail | undefined {
  if (!(failure instanceof ApplicationFailure || failure instanceof CancelledFailure)) return;
  const detail = failure.details?.[0] as FailureDetail | null | undefined;
  return ERROR_NAMES.has(detail?.errorType) ? detail! : undefined;
}

const ERROR_NAMES = new Set<unknown>(Object.values(ERROR_WORDS));
