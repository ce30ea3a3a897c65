import { TemporalFailure } from '@temporalio/common';
import { isCancellation, log, workflowInfo } from '@temporalio/workflow';
import type { EncodedResponse } from '../src/shared/activities.ts';
import { statusOnly } from '../src/shared/batch.ts';
import type { Method } from '../src/shared/constants.ts';
import { RequestError, type FailureContext } from '../src/shared/errors.ts';
import { wireError } from '../src/shared/failure.ts';
import { failureContext, looseSpec, withMethod, type LooseSpec } from '../src/shared/loose-spec.ts';
import { workflowTypeFor } from '../src/shared/methods.ts';
import { isRequestId } from '../src/shared/request-id.ts';
import { checkSize, fits } from '../src/shared/spec-size.ts';
import type {
  CallbackArgument,
  Json,
  RequestSpec,
  WireError,
  WireResponse,
} from '../src/shared/wire.ts';
import { callbackTarget, deliverCallback } from './callback.ts';
import { requestError } from './failure.ts';
import { handedOn } from './handed-on.ts';
import { ownFailure, unknownError } from './own-failure.ts';
import { originalRun } from './spec.ts';
import { submitRequest } from './submit-request.ts';

/**
 * Sends one request and gives its response, or fails with the request's `ApplicationFailure`.
 * With a callback, the outcome goes there too, exactly once, and `result` says what is returned.
 */
export async function patientRequest(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request);
}

/** {@link patientRequest} with GET. */
export async function patientGet(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request, 'GET');
}

/** {@link patientRequest} with HEAD. */
export async function patientHead(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request, 'HEAD');
}

/** {@link patientRequest} with POST. */
export async function patientPost(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request, 'POST');
}

/** {@link patientRequest} with PUT. */
export async function patientPut(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request, 'PUT');
}

/** {@link patientRequest} with PATCH. */
export async function patientPatch(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request, 'PATCH');
}

/** {@link patientRequest} with DELETE. */
export async function patientDelete(request: string | RequestSpec): Promise<WireResponse | null> {
  return run(request, 'DELETE');
}

async function run(request: string | RequestSpec, method?: Method): Promise<WireResponse | null> {
  const loose = looseSpec(request);
  const { workflowId, runId } = originalRun();
  const requestId = isRequestId(loose.requestId) ? loose.requestId : `${workflowId}/${runId}`;
  const context = { ...failureContext(loose, requestId), ...(method && { method }) };
  try {
    return await sendAndTell(request, loose, context, method);
  } catch (error) {
    throw ownFailure(error, context);
  }
}

async function sendAndTell(
  request: string | RequestSpec,
  loose: LooseSpec,
  context: FailureContext,
  method: Method | undefined,
): Promise<WireResponse | null> {
  const { requestId } = context;
  let target: Awaited<ReturnType<typeof callbackTarget>>;
  let response: WireResponse | EncodedResponse;
  try {
    target = await callbackTarget(loose);
    const { taskQueue } = workflowInfo();
    const spec = method ? withMethod(request, method, workflowTypeFor(method)) : request;
    checkSize(spec);
    const handsOn = {
      result: !target || !(loose.result === 'none' || loose.result === 'status'),
      ...(target && { callback: originalRun() }),
    };
    response = await submitRequest(spec, { requestId, taskQueue, handsOn });
  } catch (error) {
    const failure = ownFailure(error, context);
    if (target && failure instanceof TemporalFailure) {
      const outcome = { outcome: 'error' as const, error: errorFor(failure, context) };
      await deliverCallback(target, argument(loose, requestId, outcome));
    }
    throw failure;
  }
  if ('encoded' in response) return handOn(response, target, loose);
  if (!target) return response;
  await deliverCallback(target, argument(loose, requestId, { outcome: 'response', response }));
  return bounded(response, loose.result);
}

/** The same for a response that is encoded: its body is in the payload store. */
async function handOn(
  { encoded, response }: EncodedResponse,
  target: Awaited<ReturnType<typeof callbackTarget>>,
  loose: LooseSpec,
): Promise<WireResponse | null> {
  if (target) {
    const told = argument(loose, response.requestId, { outcome: 'response', response });
    await deliverCallback(target, told, { encoded: handedOn(encoded.callback!) });
  }
  // To whoever reads it, it is the response.
  return encoded.result
    ? (handedOn(encoded.result) as unknown as WireResponse)
    : bounded(response, loose.result);
}

function argument(
  { callbackArgs = null }: LooseSpec,
  requestId: string,
  outcome: Pick<CallbackArgument, 'outcome' | 'response' | 'error'>,
): CallbackArgument {
  return {
    requestId,
    ...outcome,
    // What fits nowhere is why the request was refused.
    callbackArgs: fits(callbackArgs) ? (callbackArgs as Json) : null,
    request: originalRun(),
  };
}

/** The error a callback gets, also for a failure that carries no detail of ours. */
function errorFor(failure: unknown, context: FailureContext): WireError {
  const known = requestError(failure);
  if (known) return known;
  if (isCancellation(failure)) {
    const message = 'Cancelled before it was sent';
    const cancelled = new RequestError('CancelledError', message, { phase: 'queued' });
    return wireError(cancelled, context);
  }
  log.warn('A request failed for a reason of its own', { error: failure });
  return wireError(unknownError(failure), context);
}

/** A callback has the whole response; history need not hold it twice. */
function bounded(response: WireResponse, result: unknown): WireResponse | null {
  if (result === 'none') return null;
  return result === 'status' ? statusOnly(response) : response;
}
