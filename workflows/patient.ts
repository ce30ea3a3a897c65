import {
  ParentClosePolicy,
  startChild,
  uuid4,
  workflowInfo,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { DEFAULT_TASK_QUEUE, type Method } from '../src/shared/constants.ts';
import { invalidRequest, RequestError } from '../src/shared/errors.ts';
import { failureContext, looseSpec, withMethod } from '../src/shared/loose-spec.ts';
import { isRequestId } from '../src/shared/request-id.ts';
import { checkSize } from '../src/shared/spec-size.ts';
import { perMethod, workflowTypeFor, type PerMethod } from '../src/shared/methods.ts';
import { toResponse, type PatientResponse } from '../src/shared/response.ts';
import { checkBatch } from '../src/shared/batch-spec.ts';
import type { RequestSpec, WireError } from '../src/shared/wire.ts';
import type { BatchResult, BatchSpec } from '../src/shared/wire-batch.ts';
import { BatchRun } from './batch-run.ts';
import { withTaskQueue } from './callback.ts';
import { toFailure } from './failure.ts';
import { submitRequest } from './submit-request.ts';
import { applyTemplate, mergeTemplates, type RequestTemplate } from '../src/shared/template.ts';

/** A spec without what the call itself gives. */
export type RequestOptions = Omit<RequestSpec, 'url' | 'method'>;
/** Inline calls answer to their caller; a callback needs `submit`. */
export type InlineOptions = Omit<RequestOptions, 'callback' | 'result'>;

/** What a batch in a workflow's own history can have. */
export type BatchOptions = Pick<
  BatchSpec,
  'defaults' | 'chunkSize' | 'concurrency' | 'keep' | 'sink'
>;

/** How a batch in workflow code ended. */
export interface PatientBatchResult extends Omit<BatchResult, 'outcomes'> {
  /** In the order of the requests; without a sink, unless `keep` is `none`. */
  outcomes?: ({ response: PatientResponse } | { error: WireError })[];
}

/** Sends one request as an activity of this workflow and waits. */
type InlineCall = (url: string, options?: InlineOptions) => Promise<PatientResponse>;
/** Starts a request of its own and gives its id. */
type SubmitCall = (url: string, options?: RequestOptions) => Promise<string>;

/** The calls of {@link patient}, and of what `extend` makes of it. */
export interface Patient extends PerMethod<InlineCall> {
  /** Sends one request inline and gives its response. */
  request(spec: string | RequestSpec): Promise<PatientResponse>;
  /**
   * Starts the request as an abandoned child workflow, which outlives this one, and gives its
   * id. The `requestId`, when given, is that id: the same one twice is one request.
   */
  submit: PerMethod<SubmitCall> & { request(spec: string | RequestSpec): Promise<string> };
  /**
   * Sends many requests, hundreds in one activity, in the history of this workflow; for more than
   * a few thousand start `patientBatch` as a child, which continues as new.
   *
   * @throws `InvalidRequestError` for a batch that is wrong as a whole; the cancellation
   */
  batch(requests: (string | RequestSpec)[], options?: BatchOptions): Promise<PatientBatchResult>;
  /** A `patient` whose requests share these fields; request and inner template win. */
  extend(template: RequestTemplate): Patient;
}

/**
 * Durable HTTP in workflow code: each call is one activity, no child workflow.
 *
 * @example
 * const price = await patient.get('https://api.example.com/price', { timeout: '5m' });
 * if (price.ok) log.info('a price', { amount: price.json() });
 */
export const patient: Patient = createPatient({});

function createPatient(template: RequestTemplate): Patient {
  return {
    ...perMethod((method) => (url, options) => inline(template, { ...options, url }, method)),
    request: (spec) => inline(template, looseSpec(spec) as RequestSpec),
    submit: {
      ...perMethod((method) => (url, options) => submit(template, { ...options, url }, method)),
      request: (spec) => submit(template, looseSpec(spec) as RequestSpec),
    },
    batch: (requests, options) => batch(template, requests, options),
    extend: (over) =>
      createPatient(refusing({ url: over.baseUrl }, '', () => mergeTemplates(template, over))),
  };
}

async function inline(
  template: RequestTemplate,
  request: RequestSpec,
  method?: Method,
): Promise<PatientResponse> {
  const requestId = isRequestId(request.requestId) ? request.requestId : uuid4();
  const spec = prepare(template, request, requestId, method);
  if (spec.callback !== undefined) {
    const error = invalidRequest('callback: an inline call answers to its caller; use submit');
    throw toFailure(error, failureContext(spec, requestId));
  }
  const taskQueue = template.taskQueue ?? DEFAULT_TASK_QUEUE;
  return toResponse(await submitRequest(spec, { requestId, taskQueue }));
}

async function batch(
  template: RequestTemplate,
  requests: (string | RequestSpec)[],
  options: BatchOptions = {},
): Promise<PatientBatchResult> {
  const runId = uuid4();
  const result = await refusing({}, runId, () => {
    const templated = (spec: unknown) => applyTemplate(template, looseSpec(spec) as RequestSpec);
    // What is no array is refused by the check.
    const specs = Array.isArray(requests) ? requests.map(templated) : requests;
    const { workflowId } = workflowInfo();
    const checked = checkBatch({ ...options, requests: specs }, `${workflowId}/${runId}`);
    const asking: { callback?: unknown }[] = [checked, checked.defaults ?? {}, ...specs];
    const callback = asking.find((spec) => spec.callback !== undefined);
    if (callback) throw invalidRequest('callback: a batch answers to its caller; use patientBatch');
    return new BatchRun(checked, { taskQueue: template.taskQueue ?? DEFAULT_TASK_QUEUE, runId });
  }).run();
  const { outcomes, ...rest } = result!;
  if (!outcomes) return rest;
  return {
    ...rest,
    outcomes: outcomes.map((outcome) =>
      'response' in outcome ? { response: toResponse(outcome.response) } : outcome,
    ),
  };
}

async function submit(
  template: RequestTemplate,
  request: RequestSpec,
  method?: Method,
): Promise<string> {
  // A wrong id is refused by the request's own workflow, and its callback told.
  const { requestId } = request;
  const workflowId = isRequestId(requestId) ? requestId : `patient-${uuid4()}`;
  const spec = prepare(template, request, workflowId, method);
  // As a client does: the workflow, its log lines and the request's header show one id.
  spec.requestId ??= workflowId;
  if (spec.callback !== undefined) {
    const { taskQueue } = workflowInfo();
    spec.callback = withTaskQueue(spec.callback, taskQueue) as NonNullable<RequestSpec['callback']>;
  }
  try {
    await startChild(workflowTypeFor(spec.method), {
      workflowId,
      taskQueue: template.taskQueue ?? DEFAULT_TASK_QUEUE,
      args: [spec],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
  return workflowId;
}

function prepare(
  template: RequestTemplate,
  request: RequestSpec,
  requestId: string,
  method: Method | undefined,
): RequestSpec {
  return refusing(request, requestId, () => {
    const merged = applyTemplate(template, request);
    const name = `patient.${method?.toLowerCase()}`;
    const spec = method ? (withMethod(merged, method, name) as RequestSpec) : merged;
    checkSize(spec);
    return spec;
  });
}

/** An error that a workflow can end with: any other would block it. */
function refusing<T>(spec: unknown, requestId: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    throw toFailure(error, failureContext(spec, requestId));
  }
}
