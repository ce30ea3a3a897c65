import {
  CancellationScope,
  getExternalWorkflowHandle,
  log,
  ParentClosePolicy,
  proxyLocalActivities,
  startChild,
  WorkflowIdReusePolicy,
  type RetryPolicy,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { ControlActivities } from '../src/shared/activities.ts';
import { parseDuration } from '../src/shared/duration.ts';
import { invalidRequest } from '../src/shared/errors.ts';
import type {
  Callback,
  CallbackArgument,
  CallbackRetryOptions,
  SignalCallback,
  WorkflowCallback,
} from '../src/shared/wire.ts';
import { originalRun, type LooseSpec } from './spec.ts';

/** A callback that can be started: it has its queue. */
export type CallbackTarget = Required<Pick<WorkflowCallback, 'workflow' | 'taskQueue'>> &
  Pick<WorkflowCallback, 'retry'>;

const HOUR = 60 * 60_000;

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
  if (isText(callback.signal) && isText(callback.workflowId)) {
    return { signal: callback.signal, workflowId: callback.workflowId };
  }
  if (!isText(callback.workflow)) return undefined;
  const taskQueue = isText(callback.taskQueue) ? callback.taskQueue : await defaultTaskQueue();
  const retry = isRecord(callback.retry) ? (callback.retry as CallbackRetryOptions) : {};
  return { workflow: callback.workflow, taskQueue, retry };
}

/** A bare name, or a callback without a queue, on the given queue; anything else as it is. */
export function withTaskQueue(callback: unknown, taskQueue: string | undefined): unknown {
  const queue = taskQueue === undefined ? {} : { taskQueue };
  if (isText(callback)) return { workflow: callback, ...queue } satisfies Callback;
  if (!isRecord(callback) || !('workflow' in callback)) return callback;
  return { ...queue, ...callback };
}

/**
 * Delivers a request's outcome exactly once: by a child that outlives this workflow, whose id is
 * the same after a reset and another when this workflow's id is used again.
 */
export async function deliverCallback(
  target: CallbackTarget | SignalCallback,
  argument: CallbackArgument,
): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    if ('signal' in target) {
      const { signal, workflowId } = target;
      // A receiver that is gone stays gone: the request's own result is all that is left.
      await getExternalWorkflowHandle(workflowId)
        .signal(signal, argument)
        .catch((error: unknown) => {
          log.error('The callback signal found no receiver', { signal, workflowId, error });
        });
      return;
    }
    const { workflowId, runId } = originalRun();
    try {
      await startChild(target.workflow, {
        workflowId: `${workflowId}:callback:${runId}`,
        taskQueue: target.taskQueue,
        args: [argument],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        retry: retryPolicy(target.retry),
        staticSummary: `${argument.outcome} of ${workflowId}`.slice(0, 200),
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  });
}

async function defaultTaskQueue(): Promise<string> {
  const { callbackTaskQueue } = proxyLocalActivities<ControlActivities>({
    startToCloseTimeout: 5_000,
  });
  const taskQueue = await callbackTaskQueue();
  if (taskQueue) return taskQueue;
  throw invalidRequest(
    'callback.taskQueue: expected the queue of the callback workflow, got none ' +
      '(set it in the spec, or callbackTaskQueue on the worker)',
  );
}

function retryPolicy(retry: CallbackRetryOptions = {}): RetryPolicy {
  return {
    maximumAttempts: retry.maximumAttempts ?? 25,
    initialInterval: parseDuration(retry.initialInterval) ?? 1000,
    backoffCoefficient: retry.backoffCoefficient ?? 2,
    maximumInterval: parseDuration(retry.maximumInterval) ?? HOUR,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
