import {
  ActivityCancellationType,
  CancellationScope,
  proxyActivities,
  uuid4,
  workflowInfo,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { Priority } from '@temporalio/common';
import type {
  BatchChunk,
  BatchContext,
  ControlActivities,
  EncodedResponse,
  HandsOn,
  RequestActivities,
} from '../src/shared/activities.ts';
import type { ItemResult } from '../src/shared/batch.ts';
import {
  DEADLINE_BACKSTOP,
  DEFAULT_HEARTBEAT_TIMEOUT,
  DEFAULT_TIMEOUT,
  requestsQueue,
} from '../src/shared/constants.ts';
import { parseDuration } from '../src/shared/duration.ts';
import { failureContext, looseSpec, type LooseSpec } from '../src/shared/loose-spec.ts';
import type { WireResponse } from '../src/shared/wire.ts';
import { fromActivity } from './failure.ts';
import { summaryOf } from './spec.ts';

const DAY = 24 * 60 * 60_000;
/** Above the longest a valid spec can say; keeps an invalid one inside Temporal's range. */
const LONGEST = 3650 * DAY;
/** A chunk's items wait for their places in the worker. */
const CHUNK_TIMEOUT = 7 * DAY;

interface Caller {
  requestId: string;
  taskQueue: string;
}

/**
 * Runs one request as a submit activity and gives its response. Fails with the request's own
 * `ApplicationFailure`; a cancel of the current scope reaches the socket through the control
 * activity, and the scope then ends with the activity's `CancelledFailure`.
 */
export function submitRequest(spec: unknown, caller: Caller): Promise<WireResponse>;
/** Where the caller only hands the response on, one with a large body may stay encoded. */
export function submitRequest(
  spec: unknown,
  caller: Caller & { handsOn: HandsOn },
): Promise<WireResponse | EncodedResponse>;
export async function submitRequest(
  spec: unknown,
  { requestId, taskQueue, handsOn }: Caller & { handsOn?: HandsOn },
): Promise<WireResponse | EncodedResponse> {
  const loose = looseSpec(spec);
  const activityId = uuid4();
  const { submitRequest: submit } = proxyActivities<RequestActivities>(
    activityOptions(loose, activityId, taskQueue),
  );
  try {
    const context = { requestId, ...(handsOn && { handsOn }) };
    return await stoppable(activityId, taskQueue, () => submit(spec, context));
  } catch (error) {
    throw fromActivity(error, failureContext(loose, requestId));
  }
}

/**
 * Runs the requests of a chunk as one activity and gives what each ended with. Also after a cancel,
 * which stops those in flight. Fails as an activity does when none of them could be taken in.
 */
export async function submitChunk(
  chunk: BatchChunk,
  context: BatchContext,
  { activityId, taskQueue }: { activityId: string; taskQueue: string },
): Promise<ItemResult[]> {
  const defaults = looseSpec(chunk.defaults);
  const { submitBatch: submit } = proxyActivities<RequestActivities>({
    ...activityOptions(defaults, activityId, taskQueue),
    // Each item's own deadline is the processor's to keep.
    scheduleToCloseTimeout: undefined,
    startToCloseTimeout: CHUNK_TIMEOUT,
    summary: `${chunk.items.length} requests`,
  });
  return stoppable(activityId, taskQueue, () => submit(chunk, context));
}

/** Runs a submit activity whose cancellation reaches the socket faster than a heartbeat. */
async function stoppable<T>(
  activityId: string,
  taskQueue: string,
  run: () => Promise<T>,
): Promise<T> {
  let pending = true;
  const scope = CancellationScope.current();
  // One that is cancelled already schedules nothing; one that cannot be hears of its parent's.
  if (!scope.consideredCancelled) {
    scope.cancelRequested.catch(() => {
      if (pending && scope.consideredCancelled) stopRequest(activityId, taskQueue);
    });
  }
  try {
    return await run();
  } finally {
    pending = false;
  }
}

/**
 * Tells the worker that has the request, on a queue that is polled also when it is full. Best
 * effort: the cancel is already in Temporal, and the next heartbeat's answer carries it.
 */
function stopRequest(activityId: string, taskQueue: string): void {
  const { cancelRequest } = proxyActivities<ControlActivities>({
    taskQueue,
    scheduleToCloseTimeout: 10_000,
    summary: 'cancel the request',
  });
  const { workflowId, runId } = workflowInfo();
  CancellationScope.nonCancellable(() => cancelRequest({ workflowId, runId, activityId })).catch(
    () => undefined,
  );
}

function activityOptions(spec: LooseSpec, activityId: string, taskQueue: string): ActivityOptions {
  const timeout = durationOf(spec.timeout) ?? DEFAULT_TIMEOUT;
  const deadline = durationOf(spec.deadline);
  const heartbeatTimeout = durationOf(spec.heartbeatTimeout) ?? DEFAULT_HEARTBEAT_TIMEOUT;
  const priority = priorityOf(spec);
  return {
    taskQueue: requestsQueue(taskQueue),
    activityId,
    summary: summaryOf(spec),
    startToCloseTimeout: Math.max(DAY, 2 * timeout),
    ...(deadline === undefined ? {} : { scheduleToCloseTimeout: deadline + DEADLINE_BACKSTOP }),
    heartbeatTimeout: Math.max(heartbeatTimeout, 1000),
    // An omitted value would mean TRY_CANCEL on the wire.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // Temporal owns the attempts, without limit: the processor counts tries under its own policy.
    retry: { initialInterval: 1000, backoffCoefficient: 1 },
    ...(priority ? { priority } : {}),
  };
}

function durationOf(value: unknown): number | undefined {
  const ms = parseDuration(value);
  return ms === undefined ? undefined : Math.min(Math.round(ms), LONGEST);
}

/** Temporal fails the workflow task for a wrong priority; the validation names it instead. */
function priorityOf({ priority }: LooseSpec): Priority | undefined {
  if (typeof priority !== 'object' || priority === null) return undefined;
  const { priorityKey, fairnessKey, fairnessWeight } = priority as Record<string, unknown>;
  const result: Priority = {};
  if (typeof priorityKey === 'number' && [1, 2, 3, 4, 5].includes(priorityKey)) {
    result.priorityKey = priorityKey;
  }
  if (typeof fairnessKey === 'string' && new TextEncoder().encode(fairnessKey).length <= 64) {
    result.fairnessKey = fairnessKey;
  }
  if (typeof fairnessWeight === 'number' && fairnessWeight > 0) {
    result.fairnessWeight = fairnessWeight;
  }
  return result;
}
