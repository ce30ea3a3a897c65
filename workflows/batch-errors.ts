import { ActivityFailure, TimeoutFailure } from '@temporalio/common';
import { RequestError, type FailureContext } from '../src/shared/errors.ts';
import { wireError } from '../src/shared/failure.ts';
import type { Phase, WireError } from '../src/shared/wire.ts';
import type { BatchItem } from './batch-supply.ts';
import { requestError } from './failure.ts';

/** What an item ended with whose activity nobody saw the end of. */
export function lostError(error: unknown, context: FailureContext): WireError {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  const told = requestError(cause);
  if (told) {
    return wireError(new RequestError(told.type, told.message, { phase: told.phase }), context);
  }
  const message = (cause ?? (error as Error)).message;
  const type = cause instanceof TimeoutFailure ? 'OutcomeUnknownError' : 'UnknownError';
  return wireError(new RequestError(type, message, { phase: 'sent' }), context);
}

export function cancelledError(context: FailureContext, phase: Phase = 'queued'): WireError {
  return wireError(
    new RequestError('CancelledError', 'Cancelled with its batch', { phase }),
    context,
  );
}

/** Of an item that a cancel has stopped after an attempt whose end nobody saw. */
export function unseenError(isResendable: boolean, context: FailureContext): WireError {
  if (isResendable) return cancelledError(context, 'sent');
  const message = 'Cancelled with its batch; it may have been sent, and nobody saw its end';
  return wireError(new RequestError('OutcomeUnknownError', message, { phase: 'sent' }), context);
}

/** Of an item that is not sent any more, since the batch has failed. */
export function failedError(
  { tries, sent = false }: BatchItem,
  context: FailureContext,
): WireError {
  const phase = sent || tries > 0 ? 'sent' : 'queued';
  const message = 'Given up with its batch, which has failed';
  return wireError(new RequestError('CancelledError', message, { phase }), context);
}

/** Of an item whose outcome is kept; `message`: why nobody could read it. */
export function unreadError(message: string, context: FailureContext): WireError {
  return wireError(new RequestError('UnknownError', message, { phase: 'sent' }), context);
}

/** Of an item whose outcome is too much for this workflow's history; `bytes` if it has one. */
export function noRoomError(
  { tries, sent = false, bytes }: BatchItem & { bytes?: number },
  context: FailureContext,
): WireError {
  const isSent = bytes !== undefined || sent || tries > 0;
  const notSent = isSent ? 'Not sent again' : 'Not sent';
  const what = bytes === undefined ? notSent : `Outcome of ${bytes} bytes as JSON`;
  const message =
    `${what}: the history of this workflow has no room for more of the batch; ` +
    'start patientBatch instead, as a child or by a client';
  const phase = isSent ? 'sent' : 'queued';
  return wireError(new RequestError('ResponseTooLargeError', message, { phase }), context);
}

/** Of an item that would be tried again, but for the length of history; `last`: what its last try ended with. */
export function lastTryError(
  last: WireError | undefined,
  { tries, sent = false }: BatchItem,
  context: FailureContext,
): WireError {
  const reason =
    'not tried again, for the history of the workflow is full: use patientBatch with a sink';
  if (last) return { ...last, message: `${last.message}; ${reason}` };
  const phase = sent || tries > 0 ? 'sent' : 'queued';
  return wireError(new RequestError('UnknownError', reason, { phase }), context);
}
