import { isCancellation, log, workflowInfo } from '@temporalio/workflow';
import { RequestError } from '../src/shared/errors.ts';
import { redactUrl } from '../src/shared/url.ts';
import type {
  CallbackArgument,
  Json,
  RequestSpec,
  WireError,
  WireResponse,
} from '../src/shared/wire.ts';
import { callbackTarget, deliverCallback } from './callback.ts';
import { requestError, toFailure } from './failure.ts';
import { describe, looseSpec, originalRun, withMethod, type LooseSpec } from './spec.ts';
import { failureContext, submitRequest } from './submit-request.ts';

/**
 * Sends one request and gives its response, or fails with the request's `ApplicationFailure`.
 * With a callback, the outcome goes there too, exactly once, and `result` says what is returned.
 */
export async function patientRequest(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request, () => request);
}

/** {@link patientRequest} with GET. */
export async function patientGet(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request, () => withMethod(request, 'GET', 'patientGet'));
}

/** {@link patientRequest} with HEAD. */
export async function patientHead(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request, () => withMethod(request, 'HEAD', 'patientHead'));
}

/** {@link patientRequest} with POST. */
export async function patientPost(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request, () => withMethod(request, 'POST', 'patientPost'));
}

/** {@link patientRequest} with PUT. */
export async function patientPut(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request, () => withMethod(request, 'PUT', 'patientPut'));
}

/** {@link patientRequest} with PATCH. */
export async function patientPatch(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request, () => withMethod(request, 'PATCH', 'patientPatch'));
}

/** {@link patientRequest} with DELETE. */
export async function patientDelete(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request, () => withMethod(request, 'DELETE', 'patientDelete'));
}

async function run(
  request: string | RequestSpec,
  prepare: () => unknown,
): Promise<WireResponse | null> {
  const loose = looseSpec(request);
  const { workflowId, runId } = originalRun();
  const requestId =
    typeof loose.requestId === 'string' ? loose.requestId : `${workflowId}/${runId}`;
  const context = failureContext(loose, requestId);
  let target: Awaited<ReturnType<typeof callbackTarget>>;
  let response: WireResponse;
  try {
    target = await callbackTarget(loose);
    const { taskQueue } = workflowInfo();
    response = await submitRequest(prepare(), { requestId, taskQueue });
  } catch (error) {
    const failure = error instanceof RequestError ? toFailure(error, context) : error;
    if (target) {
      const outcome = { outcome: 'error' as const, error: errorFor(failure, loose, requestId) };
      await deliverCallback(target, argument(loose, requestId, outcome));
    }
    throw failure;
  }
  if (!target) return response;
  await deliverCallback(target, argument(loose, requestId, { outcome: 'response', response }));
  return bounded(response, loose.result);
}

function argument(
  spec: LooseSpec,
  requestId: string,
  outcome: Pick<CallbackArgument, 'outcome' | 'response' | 'error'>,
): CallbackArgument {
  const callbackArgs = (spec.callbackArgs ?? null) as Json;
  return { requestId, ...outcome, callbackArgs, request: originalRun() };
}

/** The error a callback gets, also for a failure that carries no detail of ours. */
function errorFor(failure: unknown, spec: LooseSpec, requestId: string): WireError {
  const known = requestError(failure);
  if (known) return known;
  const { url, method } = describe(spec);
  const cancelled = isCancellation(failure);
  if (!cancelled) log.warn('A request failed for a reason of its own', { error: failure });
  return {
    type: cancelled ? 'CancelledError' : 'UnknownError',
    errorType: cancelled ? 'cancelled' : 'unknown',
    message: cancelled ? 'Cancelled before it was sent' : String(failure),
    url: redactUrl(url),
    method,
    requestId,
    durationMs: 0,
    phase: 'queued',
    attempt: 1,
  };
}

/** A callback has the whole response; history need not hold it twice. */
function bounded(response: WireResponse, result: unknown): WireResponse | null {
  if (result === 'none') return null;
  return result === 'status' ? { ...response, headers: {}, body: null } : response;
}
