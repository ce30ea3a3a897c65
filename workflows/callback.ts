import {
  CancellationScope,
  getExternalWorkflowHandle,
  log,
  ParentClosePolicy,
  proxyLocalActivities,
  startChild,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError, type RawValue } from '@temporalio/common';
import type { CallbackStart, ControlActivities } from '../src/shared/activities.ts';
import { parseDuration } from '../src/shared/duration.ts';
import { invalidRequest } from '../src/shared/errors.ts';
import type { LooseSpec } from '../src/shared/loose-spec.ts';
import { isName, MAX_NAME } from '../src/shared/names.ts';
import type {
  Callback,
  CallbackArgument,
  CallbackRetryOptions,
  SignalCallback,
  WorkflowCallback,
} from '../src/shared/wire.ts';
import { cutText } from '../src/shared/text.ts';
import { isRecord } from '../src/shared/values.ts';
import { summary } from './spec.ts';

/** A callback that can be started: it has its queue. */
export type CallbackTarget = Required<Pick<WorkflowCallback, 'workflow' | 'taskQueue'>> &
  Pick<WorkflowCallback, 'retry'>;

const HOUR = 60 * 60_000;
/** A child on such a queue of Temporal's own would block the workflow. */
const RESERVED = '/_sys/';
const MAX_INTERVAL = 365 * 24 * HOUR;

/**
 * Where the outcome of a request goes, read before anything is sent; undefined when there is no
 * callback, or one so wrong that only the validation can name its fault.
 * @throws RequestError `InvalidRequestError` when no queue is known for it
 */
export async function callbackTarget(
  spec: LooseSpec,
): Promise<CallbackTarget | SignalCallback | undefined> {
  const callback = withTaskQueue(spec.callback, undefined);
  if (!isRecord(callback)) return undefined;
  if (isName(callback.signal) && isName(callback.workflowId)) {
    return { signal: callback.signal, workflowId: callback.workflowId };
  }
  if (!isName(callback.workflow)) return undefined;
  const taskQueue = isName(callback.taskQueue) ? callback.taskQueue : await defaultTaskQueue();
  if (taskQueue.startsWith(RESERVED)) {
    throw invalidRequest(`callback.taskQueue: expected no name that starts with ${RESERVED}`);
  }
  const retry = isRecord(callback.retry) ? (callback.retry as CallbackRetryOptions) : {};
  return { workflow: callback.workflow, taskQueue, retry };
}

/** A bare name, or a callback without a queue, on the given queue; anything else as it is. */
export function withTaskQueue(callback: unknown, taskQueue: string | undefined): unknown {
  const queue = taskQueue === undefined ? {} : { taskQueue };
  if (typeof callback === 'string') return { workflow: callback, ...queue } satisfies Callback;
  if (!isRecord(callback) || !('workflow' in callback)) return callback;
  return callback.taskQueue === undefined ? { ...callback, ...queue } : callback;
}

/**
 * Delivers an outcome exactly once: by a child that outlives this workflow, whose id is the same after
 * a reset and another when this workflow's id is used again. `encoded`: the argument with a response
 * that this workflow has not looked into.
 */
export async function deliverCallback(
  target: CallbackTarget | SignalCallback,
  argument: CallbackArgument,
  { encoded }: { encoded?: RawValue } = {},
): Promise<void> {
  if ('signal' in target) return signalCallback(target, encoded ?? argument);
  const { workflow, ...options } = callbackStart(target, argument);
  try {
    await CancellationScope.nonCancellable(() =>
      startChild(workflow, {
        ...options,
        args: [encoded ?? argument],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
      }),
    );
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

export async function signalCallback(
  { signal, workflowId }: SignalCallback,
  argument: CallbackArgument | RawValue,
): Promise<void> {
  // A receiver that is gone stays gone: the request's own result is all that is left.
  await CancellationScope.nonCancellable(() =>
    getExternalWorkflowHandle(workflowId).signal(signal, argument),
  ).catch((error: unknown) => {
    log.error('The callback signal found no receiver', { signal, workflowId, error });
  });
}

/** How a callback workflow is started. `index`: of an item. */
export function callbackStart(
  { workflow, taskQueue, retry }: CallbackTarget,
  { outcome, request: { workflowId, runId } }: CallbackArgument,
  index?: number,
): Omit<CallbackStart, 'argument'> {
  return {
    ...{ workflow, taskQueue },
    workflowId: callbackId(workflowId, index === undefined ? runId : `${runId}:${index}`),
    retry: retryPolicy(retry),
    staticSummary: summary(`${outcome} of ${workflowId}`),
  };
}

/** A long workflow id gives way: the run's is unique by itself. */
function callbackId(workflowId: string, runId: string): string {
  const suffix = `:callback:${runId}`;
  return cutText(workflowId, MAX_NAME - suffix.length) + suffix;
}

async function defaultTaskQueue(): Promise<string> {
  const { callbackTaskQueue } = proxyLocalActivities<ControlActivities>({
    startToCloseTimeout: 5_000,
  });
  // A cancel that comes now still has its callback.
  const taskQueue = await CancellationScope.nonCancellable(callbackTaskQueue);
  if (taskQueue) return taskQueue;
  throw invalidRequest(
    'callback.taskQueue: expected the queue of the callback workflow, got none ' +
      '(set it in the spec, or callbackTaskQueue on the worker)',
  );
}

/**
 * What Temporal takes of a policy: a wrong one would block the workflow, and is the validation's
 * to name. One interval given alone moves the other's default out of its way.
 */
function retryPolicy(retry: CallbackRetryOptions = {}): CallbackStart['retry'] {
  const { maximumAttempts, backoffCoefficient } = retry;
  const longest = interval(retry.maximumInterval);
  const initialInterval = interval(retry.initialInterval) ?? Math.min(1000, longest ?? 1000);
  return {
    maximumAttempts: isAttempts(maximumAttempts) ? maximumAttempts : 25,
    initialInterval,
    backoffCoefficient: isCoefficient(backoffCoefficient) ? backoffCoefficient : 2,
    maximumInterval: Math.max(initialInterval, longest ?? HOUR),
  };
}

function interval(value: unknown): number | undefined {
  const ms = Math.round(parseDuration(value) ?? 0);
  return ms >= 1 && ms <= MAX_INTERVAL ? ms : undefined;
}

function isAttempts(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) < 2 ** 31;
}

function isCoefficient(value: unknown): value is number {
  return Number.isFinite(value) && (value as number) >= 1;
}
