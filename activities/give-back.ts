import { activityInfo, heartbeat, type Info } from '@temporalio/activity';
import { RawValue } from '@temporalio/common';
import { finalFailure, retryFailure } from '../src/completion/failure.ts';
import type { SubmitContext } from '../src/shared/activities.ts';
import type { AttemptProgress, BatchProgress, Progress } from '../src/shared/attempt.ts';
import { DEADLINE_BACKSTOP, ENCODED_PAYLOAD, UNREAD_METADATA } from '../src/shared/constants.ts';
import { KeptOutcomeError, RequestError, type FailureContext } from '../src/shared/errors.ts';
import { wireError } from '../src/shared/failure.ts';
import type { JsonPayload } from '../src/shared/json-payload.ts';
import { failureContext } from '../src/shared/loose-spec.ts';
import { asUnreadable } from '../src/shared/unreadable.ts';

/** With the pauses about an hour, which is as long as a response waits for a payload store. */
const MAX_UNREAD = 64;
/** ms */
const LONGEST_PAUSE = 60_000;

/** Whether another process may still be hoped for. */
export function isPatient({ unread = 0 }: Pick<AttemptProgress, 'unread'>): boolean {
  return unread < MAX_UNREAD;
}

/**
 * Ends an attempt of which this process cannot read what is asked for, or what was stored of the attempts
 * before: the next one may come to a process that has the key, or find the store back.
 */
export function giveBackUnread(details: unknown, spec: unknown, context: unknown): void {
  const unreadDetails = asUnreadable(details);
  const unreadable = unreadDetails ?? asUnreadable(spec) ?? asUnreadable(context);
  if (!unreadable) return;
  const message = `The request cannot be read; ${unreadable.message}`;
  const progress = (unreadDetails ? { unread: unreadDetails.unread } : (details ?? {})) as Partial<
    Progress & BatchProgress
  >;
  const { unread = 0, returns = 0 } = progress;
  const left = deadlineOf(activityInfo()) - Date.now();
  if (!isPatient(progress) || left <= 0) {
    const isUnsent = !unreadDetails && !progress.sent && !progress.next;
    const type = isUnsent ? 'UnknownError' : 'OutcomeUnknownError';
    const error = new RequestError(type, message, { phase: isUnsent ? 'queued' : 'sent' });
    const { requestId = '' } = context as Partial<SubmitContext>;
    throw finalFailure(wireError(error, failureContext(spec, requestId)));
  }
  // What cannot be read stays as it is: it says whether the request was sent.
  if (!unreadDetails) heartbeat({ ...progress, returns: returns + 1, unread: unread + 1 });
  else if (unreadDetails.payload) heartbeat(countedOnce(unreadDetails.payload, unread + 1));
  // What cannot be counted goes by Temporal's count.
  const isCounted = !unreadDetails || unreadDetails.payload !== undefined;
  const pause = pauseAfter(isCounted ? unread : activityInfo().attempt - 1);
  throw retryFailure('Returned', message, Math.min(pause, left));
}

/** Epoch ms. Of a request that cannot be read, Temporal alone knows it. */
function deadlineOf({ scheduledTimestampMs, scheduleToCloseTimeoutMs }: Info): number {
  // 0 for none.
  if (!scheduleToCloseTimeoutMs) return Infinity;
  return scheduledTimestampMs + scheduleToCloseTimeoutMs - DEADLINE_BACKSTOP;
}

function countedOnce({ metadata, data }: JsonPayload, unread: number): RawValue {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const counted = { metadata: { ...metadata, [UNREAD_METADATA]: base64(String(unread)) }, data };
  return RawValue.fromPayload({
    metadata: { encoding: Buffer.from(ENCODED_PAYLOAD) },
    data: Buffer.from(JSON.stringify(counted)),
  });
}

/** ms */
function pauseAfter(unread: number): number {
  return Math.min(1000 * 2 ** unread, LONGEST_PAUSE);
}

/**
 * Ends an attempt whose request has ended, with an outcome that this process cannot read: the next
 * one may come to a process that has the key, or find the store back. The outcome stays where it is,
 * also when this has gone on for too long.
 */
export function giveBack(
  progress: AttemptProgress,
  context: FailureContext,
  deadlineAt = Infinity,
): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof KeptOutcomeError)) throw error;
    const { unread = 0, returns } = progress;
    const left = deadlineAt - Date.now();
    if (!isPatient(progress) || left <= 0) {
      const options = { phase: 'sent' as const, cause: error };
      throw finalFailure(
        wireError(new RequestError('UnknownError', error.message, options), context),
      );
    }
    heartbeat({ ...progress, returns: returns + 1, unread: unread + 1 });
    const pause = Math.min(pauseAfter(unread), left);
    throw retryFailure('Returned', error.message, pause);
  };
}
