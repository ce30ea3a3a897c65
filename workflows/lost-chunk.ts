import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import { CancellationScope, isCancellation, proxyActivities } from '@temporalio/workflow';
import type { ControlActivities, LostChunk } from '../src/shared/activities.ts';
import type { ItemResult } from '../src/shared/batch.ts';
import type { WireError } from '../src/shared/wire.ts';
import { cancelledError, lostError, unseenError } from './batch-errors.ts';
import type { BatchReport } from './batch-report.ts';
import type { BatchItem } from './batch-supply.ts';
import { requestError } from './failure.ts';

/**
 * What the items of a chunk ended with whose activity has failed. After a cancel Temporal starts no
 * attempt in place of one that is over: what items have ended with until then is to be collected.
 */
export async function lostResults(
  activityId: string,
  items: BatchItem[],
  failure: unknown,
  report: BatchReport,
  taskQueue: string,
): Promise<ItemResult[]> {
  // One that was never scheduled.
  if (isCancellation(failure) && !(failure instanceof ActivityFailure)) {
    return items.map((item) => ({ error: stoppedError(item, false, report) }));
  }
  const lost = (item: BatchItem): WireError => lostError(failure, report.context(item));
  // One that no process can read any more, say, may have been begun by one that could.
  const isTold = failure instanceof ActivityFailure && requestError(failure.cause) !== undefined;
  const isCancel = isStopped(failure);
  if (!(isCancel || isTold)) return items.map((item) => ({ error: lost(item) }));
  const found = await recover({ activityId, items: items.length }, taskQueue);
  const isBegun = found !== null || !isWaiting(failure);
  return items.map((item, position) => {
    const bytes = found?.[position];
    if (bytes) return { held: bytes };
    return { error: isCancel ? stoppedError(item, isBegun, report) : lost(item) };
  });
}

/** Whether no attempt followed for the sake of a cancel alone. */
function isStopped(failure: unknown): failure is ActivityFailure {
  if (!(failure instanceof ActivityFailure)) return false;
  return isCancellation(failure) || failure.retryState === 'CANCEL_REQUESTED';
}

/** Temporal cancels by itself what no worker runs, and what a worker gave back it had not sent. */
function isWaiting({ cause }: ActivityFailure): boolean {
  return (
    isCancellation(cause) || (cause instanceof ApplicationFailure && cause.type === 'Returned')
  );
}

/** Nothing is known of them where nobody answers. */
async function recover(chunk: LostChunk, taskQueue: string): Promise<(number | null)[] | null> {
  const { recoverOutcomes } = proxyActivities<ControlActivities>({
    taskQueue,
    scheduleToCloseTimeout: '1m',
    retry: { maximumInterval: '10s' },
    summary: `outcomes of ${chunk.items} requests`,
  });
  return CancellationScope.nonCancellable(() => recoverOutcomes(chunk)).catch(() => []);
}

/** Of an item that a cancel has stopped; `isBegun`: by this attempt, too, it may have been sent. */
export function stoppedError(item: BatchItem, isBegun: boolean, report: BatchReport): WireError {
  const context = report.context(item);
  if (!isBegun && !item.sent) return cancelledError(context);
  return unseenError(report.isResendable(item), context);
}
