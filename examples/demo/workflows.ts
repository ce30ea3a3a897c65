import {
  executeChild,
  ParentClosePolicy,
  proxyActivities,
  proxyLocalActivities,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
// In a project of your own: from 'patient-http/workflow'.
import {
  defineCallback,
  patient,
  patientGet,
  patientRequest,
  requestError,
  type CallbackArgument,
  type RequestSpec,
  type WireError,
  type WireResponse,
} from '../../workflows/index.ts';
import type { CallbackLog } from './callbacks.ts';
import type { plainFetch } from './plain-fetch.ts';

/** One call as its caller saw it. */
export interface CallResult {
  /** `200`, `HttpStatusError 404`, `TimeoutError`, … */
  outcome: string;
  /** From the call to its answer, with all tries and all of Temporal's time. */
  ms: number;
  failed: boolean;
}

/** Makes the calls, all at once. `first` is the number of the first of them. */
export async function makeCalls(requests: RequestSpec[], first: number): Promise<CallResult[]> {
  return Promise.all(requests.map((request, i) => makeCall(request, first + i)));
}

async function makeCall(request: RequestSpec, call: number): Promise<CallResult> {
  const started = Date.now();
  const end = (outcome: string, failed = false) => ({ outcome, ms: Date.now() - started, failed });
  // One in five as a child, which costs Temporal four times as much; an inline call answers to its
  // caller and takes no callback.
  const send = request.callback || call % 5 === 0 ? callAsChild : callInline;
  try {
    return end(outcomeOf(await send(request, call)));
  } catch (failure) {
    const error = requestError(failure);
    if (!error) throw failure;
    const result = end(failureOf(error), true);
    if (!request.callback) await startCallback(error, call);
    return result;
  }
}

/** A child workflow: on its own in Temporal's UI, and with a callback if the request names one. */
async function callAsChild(request: RequestSpec, call: number): Promise<WireResponse> {
  const response = await executeChild(isGet(request) ? patientGet : patientRequest, {
    workflowId: `${workflowInfo().workflowId}/call-${call}`,
    taskQueue: 'patient-http',
    args: [{ ...request, callbackArgs: call }],
  });
  return response!;
}

/** Inline: one activity, a third of the latency. */
function callInline(request: RequestSpec): Promise<WireResponse> {
  const { url, method: _, ...options } = request;
  return isGet(request) ? patient.get(url, options) : patient.request(request);
}

/** A callback is a workflow of its own, started when the request has ended. */
export const callEnded = defineCallback({
  async onComplete(response, { callbackArgs }) {
    await recordCallback(Number(callbackArgs), outcomeOf(response));
  },
  async onError(error, { callbackArgs }) {
    await recordCallback(Number(callbackArgs), failureOf(error));
  },
});

const { recordCallback } = proxyLocalActivities<Pick<CallbackLog, 'recordCallback'>>({
  startToCloseTimeout: '10s',
});

/** Hands on the failure of a request that named no callback: it is this workflow's to handle. */
async function startCallback(error: WireError, call: number): Promise<void> {
  const { workflowId, runId } = workflowInfo();
  const argument: CallbackArgument = {
    requestId: error.requestId,
    outcome: 'error',
    error,
    callbackArgs: call,
    request: { workflowId, runId },
  };
  await startChild('callEnded', {
    workflowId: `${workflowId}/call-${call}:callback`,
    parentClosePolicy: ParentClosePolicy.ABANDON,
    args: [argument],
  });
}

function outcomeOf({ status, attempt }: WireResponse): string {
  return attempt === 1 ? String(status) : `${status} (try ${attempt})`;
}

function failureOf({ type, response }: WireError): string {
  return response ? `${type} ${response.status}` : type;
}

function isGet({ method = 'GET' }: RequestSpec): boolean {
  return method.toUpperCase() === 'GET';
}

/** For comparison: what one writes without Patient HTTP. */
export async function makePlainCalls(urls: string[], taskQueue: string): Promise<void> {
  const { plainFetch: call } = proxyActivities<{ plainFetch: typeof plainFetch }>({
    taskQueue,
    startToCloseTimeout: '1m',
    retry: { maximumAttempts: 2 },
  });
  await Promise.allSettled(urls.map((url) => call(url)));
}
