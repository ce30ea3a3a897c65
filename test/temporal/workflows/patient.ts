import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  condition,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import {
  defineCallback,
  patient,
  requestError,
  toResponse,
  type BatchOptions,
  type CallbackArgument,
  type RequestSpec,
  type WireError,
  type WireResponse,
} from '../../../workflows/index.ts';
import type { RequestTemplate } from '../../../src/shared/template.ts';

type Spec = string | RequestSpec;

/** What an inline call fails with, as its caller sees it. */
export async function inlineFailure(spec: Spec, template: RequestTemplate) {
  try {
    await patient.extend(template).request(spec);
  } catch (error) {
    return { error: requestError(error), name: (error as Error).name };
  }
  throw ApplicationFailure.nonRetryable('expected a failure');
}

/** What a child fails with, as its parent sees it. */
export async function childFailure(type: string, spec: Spec, taskQueue: string) {
  try {
    await executeChild(type, { taskQueue, args: [spec] });
  } catch (error) {
    if (!(error instanceof ChildWorkflowFailure)) throw error;
    const { cause } = error;
    const details = cause instanceof ApplicationFailure ? cause.details : undefined;
    const nonRetryable = cause instanceof ApplicationFailure ? cause.nonRetryable : undefined;
    const type = cause instanceof ApplicationFailure ? cause.type : undefined;
    return {
      cause: { name: cause?.name, message: cause?.message, type, details, nonRetryable },
      error: requestError(error),
      cancelled: isCancellation(error),
    };
  }
  throw ApplicationFailure.nonRetryable('expected a failure');
}

/** A method's own function with options that name another method. */
export async function inlineMethodMismatch(url: string): Promise<WireError | undefined> {
  const options = { method: 'POST' } as object;
  return patient.get(url, options).then(() => undefined, requestError);
}

/** Options that no JSON can carry. */
export async function inlineCircular(url: string, taskQueue: string) {
  const circular: { self?: unknown } = {};
  circular.self = circular;
  const { post } = patient.extend({ taskQueue });
  return Promise.all(
    [circular, 1n].map((json) => post(url, { json }).then(() => undefined, requestError)),
  );
}

/** Each call through a template of templates. */
export async function throughTemplates(
  templates: RequestTemplate[],
  calls: [method: 'get' | 'post' | 'put', url: string, options?: RequestSpec][],
): Promise<WireResponse[]> {
  const client = templates.reduce((inner, template) => inner.extend(template), patient);
  return Promise.all(calls.map(([method, url, options]) => client[method](url, options)));
}

/** The response's helpers, inside the sandbox. */
export async function helpersInside(url: string, taskQueue: string) {
  const response = await patient.extend({ taskQueue }).get(url);
  return describeHelpers(response);
}

export async function helpersOfChild(url: string, taskQueue: string) {
  const response = toResponse(
    (await executeChild('patientGet', { taskQueue, args: [url] })) as WireResponse,
  );
  return describeHelpers(response);
}

function describeHelpers(response: ReturnType<typeof toResponse>) {
  let json: unknown;
  try {
    json = response.json();
  } catch (error) {
    json = (error as Error).message;
  }
  return { ok: response.ok, text: response.text(), bytes: [...response.bytes()], json };
}

/** Submits each spec, and ends at once. */
export async function submits(specs: Spec[], taskQueue: string): Promise<string[]> {
  const { submit } = patient.extend({ taskQueue });
  return Promise.all(specs.map((spec) => submit.request(spec)));
}

export async function submitFailure(spec: RequestSpec, taskQueue: string) {
  return patient
    .extend({ taskQueue })
    .submit.get(spec.url, spec)
    .then(() => undefined, requestError);
}

/** Cancelled while it waits, it sends one more request to undo what it did. */
export async function compensates(wait: string, undo: string, taskQueue: string) {
  const client = patient.extend({ taskQueue });
  try {
    await client.get(wait);
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return CancellationScope.nonCancellable(() => client.get(undo));
  }
  throw ApplicationFailure.nonRetryable('expected a cancel');
}

/** A request that a cancel of the workflow must not touch. */
export async function shielded(url: string, taskQueue: string): Promise<WireResponse> {
  return CancellationScope.nonCancellable(() => patient.extend({ taskQueue }).get(url));
}

/** Ends while its child runs. */
export async function closesEarly(spec: Spec, taskQueue: string, childId: string): Promise<void> {
  await startChild('patientGet', {
    taskQueue,
    workflowId: childId,
    args: [spec],
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
  });
}

/** The argument as it came. */
export async function inlineBatch(
  requests: (string | RequestSpec)[],
  taskQueue: string,
  options: BatchOptions = {},
): Promise<string[]> {
  const api = patient.extend({ taskQueue, headers: { from: 'template' } });
  const { outcomes = [] } = await api.batch(requests, options);
  return outcomes.map((each) => ('response' in each ? each.response.text() : each.error.type));
}

export async function rawCallback(argument: CallbackArgument): Promise<CallbackArgument> {
  return argument;
}

const failsTwice = (): number => {
  const { attempt } = workflowInfo();
  if (attempt < 3) throw new Error(`attempt ${attempt} fails on purpose`);
  return attempt;
};

/** Succeeds in its third run. */
export const flakyCallback = defineCallback({ onComplete: failsTwice, onError: failsTwice });

/** Waits for ever: what it starts must not depend on its end. */
export async function idle(): Promise<void> {
  await condition(() => false);
}

/** Inline and submitted, with a body made here: no argument of a workflow can be as large. */
export async function hugeSpecs(bytes: number, taskQueue: string) {
  const client = patient.extend({ taskQueue });
  const url = 'http://target.test/';
  const body = 'x'.repeat(bytes);
  return Promise.all(
    [client.post(url, { body }), client.submit.post(url, { body })].map((call) =>
      (call as Promise<unknown>).then(() => undefined, requestError),
    ),
  );
}
