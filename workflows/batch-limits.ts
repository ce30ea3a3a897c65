import { workflowInfo } from '@temporalio/workflow';
import {
  CHUNK_EVENTS,
  MAX_HISTORY_EVENTS,
  MAX_OUTCOMES_BYTES,
  type CheckedBatch,
} from '../src/shared/batch-spec.ts';
import { jsonBytes } from '../src/shared/text.ts';

// Temporal ends a workflow above 50 MB of history.

/** Bytes of the results of all lanes together. They go on to a sink and to callbacks. */
const MAX_RESULTS_BYTES = 12 * 1024 * 1024;
/**
 * Bytes of history from which one that cannot continue as new takes no more for a sink: what is in flight
 * then goes through it twice, beside the requests.
 */
const MAX_SINK_HISTORY_BYTES = 16 * 1024 * 1024;
/** Bytes of the defaults in the arguments of all lanes together, which may begin before history is seen to grow. */
const MAX_SHARED_BYTES = 4 * 1024 * 1024;
/**
 * Bytes of history from which nothing is tried again in a run that cannot continue as new: all that has
 * not ended then has one more try to bring, which without a sink is PARTS results at most.
 */
const MAX_RETRIES_HISTORY_BYTES = 32 * 1024 * 1024;
/** Of the room in the batch's result, what a chunk may take instead of one, if others need less. */
const PARTS = 8;

/** What a next run is given, in bytes of JSON; Temporal takes 2 MB. */
export const MAX_STATE_BYTES = 1.5 * 1024 * 1024;

/** Without a sink all outcomes have to fit into one result; some chunks need more than their part. */
export function outcomesBytes(batch: CheckedBatch, items: number, total: number): number {
  if (batch.sink || batch.keep === 'none') return resultBytes(batch);
  const part = Math.floor((MAX_OUTCOMES_BYTES * items) / Math.max(total, 1));
  return Math.min(MAX_OUTCOMES_BYTES, PARTS * part);
}

/** Chunks at once: each has the defaults. */
export function lanesOf({ concurrency, defaults }: CheckedBatch): number {
  const most = Math.floor(MAX_SHARED_BYTES / Math.max(1, jsonBytes(defaults)));
  return Math.min(concurrency, most);
}

/** Whether a run that cannot continue as new has no room for what has not been sent. */
export function isOverfull({ sink, keep }: CheckedBatch): boolean {
  if (!sink && keep !== 'none') return false;
  return isLongerThan(sink ? MAX_SINK_HISTORY_BYTES : MAX_RETRIES_HISTORY_BYTES);
}

/** Whether it has none for what is to be tried again, beside so many chunks that are left. */
export function endsRetries(chunks = 0): boolean {
  return isLongerThan(MAX_RETRIES_HISTORY_BYTES, chunks);
}

function isLongerThan(bytes: number, chunks = 0): boolean {
  const { historySize, historyLength } = workflowInfo();
  return historySize > bytes || historyLength + chunks * CHUNK_EVENTS > MAX_HISTORY_EVENTS;
}

/** Most bytes of one result: those of all lanes can come when history is full. */
export function resultBytes({ concurrency }: CheckedBatch): number {
  return Math.min(MAX_OUTCOMES_BYTES, Math.floor(MAX_RESULTS_BYTES / concurrency));
}
