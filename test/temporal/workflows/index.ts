import {
  condition,
  defineSignal,
  executeChild,
  setHandler,
  ActivityCancellationType,
  proxyActivities,
} from '@temporalio/workflow';
import type { RequestActivities } from '../../../src/shared/activities.ts';
import { requestsQueue } from '../../../src/shared/constants.ts';
import {
  defineCallback,
  patient,
  patientBatch,
  patientGet,
  type BatchSpec,
  type CallbackArgument,
  type RequestSpec,
  type WireResponse,
} from '../../../workflows/index.ts';

export * from './patient.ts';
export * from './payload.ts';

export async function inlineRequest(spec: RequestSpec, taskQueue: string): Promise<WireResponse> {
  return patient.extend({ taskQueue }).request(spec);
}

export async function childGet(spec: RequestSpec | string, taskQueue: string) {
  return executeChild(patientGet, { taskQueue, args: [spec] });
}

export async function childBatch(batch: BatchSpec, taskQueue: string) {
  return executeChild(patientBatch, { taskQueue, args: [batch] });
}

/** A callback workflow that returns what it was given, so that a test can read it. */
export const recordCallback = defineCallback({
  onComplete: (response, context) => ({ handler: 'onComplete', ok: response.ok, ...context }),
  onError: (error, context) => ({ handler: 'onError', error, ...context }),
});

const delivered = defineSignal<[CallbackArgument]>('delivered');

export async function waitForSignal(): Promise<CallbackArgument> {
  let argument: CallbackArgument | undefined;
  setHandler(delivered, (received) => {
    argument = received;
  });
  await condition(() => argument !== undefined);
  return argument!;
}

/** The `callbackArgs` of so many signals. */
export async function manySignals(count: number): Promise<unknown[]> {
  const received: unknown[] = [];
  setHandler(delivered, ({ callbackArgs }) => void received.push(callbackArgs));
  await condition(() => received.length >= count);
  return received;
}

/** A submit activity alone: what any caller gets that knows no control activity. */
export async function submitWithoutControl(
  url: string,
  taskQueue: string,
  heartbeatTimeout: number,
): Promise<WireResponse> {
  const { submitRequest } = proxyActivities<RequestActivities>({
    taskQueue: requestsQueue(taskQueue),
    startToCloseTimeout: '1h',
    heartbeatTimeout,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  });
  return submitRequest(url, { requestId: 'alone' }) as Promise<WireResponse>;
}
