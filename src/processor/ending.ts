import { RequestError } from '../shared/errors.ts';
import { wireError } from '../shared/failure.ts';
import type { Phase, WireError, WireResponse } from '../shared/wire.ts';
import { redactUrl } from '../shared/url.ts';
import { nextTryIn, retriesError, retriesStatus } from './retry-policy.ts';
import type { Interruption } from './owned-task.ts';
import type { RequestTask } from './task.ts';
import type { Ending } from './task-handler.ts';
import type { RetryAdvice, TransportResponse } from './transport.ts';

export function toWireResponse(task: RequestTask, received: TransportResponse): WireResponse {
  const { advice: _, ...response } = received;
  return {
    ...response,
    requestId: task.request.requestId,
    durationMs: Math.round(task.elapsed),
    attempt: task.tryNumber,
    callbackArgs: task.request.callbackArgs,
  };
}

export function errorOf(task: RequestTask, error: RequestError): WireError {
  const { url, method, requestId } = task.request;
  const durationMs = task.elapsed;
  return wireError(error, { url, method, requestId, durationMs, attempt: task.tryNumber });
}

/** A try that got a response: deliver it, or try again by its status. */
export function endWithResponse(
  task: RequestTask,
  response: WireResponse,
  { retryAfter, shouldRetry }: RetryAdvice,
): Ending {
  const { request } = task;
  const { status } = response;
  // After a redirect that made a GET of a POST it is the GET that was not processed.
  const isWhole = request.resendable || response.method === request.method;
  const delay =
    isWhole && retriesStatus(status, request, shouldRetry)
      ? nextTryIn(request, task.tryNumber, retryAfter, remaining(task))
      : undefined;
  if (delay === undefined && !(request.raiseErrorResponses && !isSuccess(status))) {
    return { kind: 'outcome', outcome: { kind: 'response', response } };
  }
  const message = `HTTP ${status} response from ${request.method} ${redactUrl(response.url)}`;
  const error = new RequestError('HttpStatusError', message, { phase: 'sent', response });
  return endWith(errorOf(task, error), delay);
}

/** A try that got none: try again where that is safe and promising, else deliver the error. */
export function endWithError(task: RequestTask, error: RequestError): Ending {
  const delay = retriesError(error, task.request)
    ? nextTryIn(task.request, task.tryNumber, undefined, remaining(task))
    : undefined;
  return endWith(errorOf(task, error), delay);
}

export function asRequestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new RequestError('UnknownError', message, { cause: error });
}

/** A try that was stopped from outside, and how far it had come. */
export function endInterrupted(
  task: RequestTask,
  interruption: Interruption,
  phase: Phase,
): Ending {
  const name = `${task.request.method} ${redactUrl(task.request.url)}`;
  switch (interruption) {
    case 'closed':
      return { kind: 'dropped' };
    case 'cancelled': {
      const message = `${name} was cancelled after ${Math.round(task.elapsed)} ms`;
      const error = new RequestError('CancelledError', message, { phase });
      return { kind: 'cancelled', error: errorOf(task, error) };
    }
    case 'deadline': {
      const message = `${name}: the deadline of ${task.request.deadline} ms for all tries passed`;
      return endWith(
        errorOf(task, new RequestError('TimeoutError', message, { phase })),
        undefined,
      );
    }
    case 'sent-elsewhere':
      return endUnknown(task, 'the process that sent it did not see its end');
    case 'returned':
    case 'given-up':
      return phase === 'sent' && !task.request.resendable
        ? endUnknown(task, 'the worker stopped before it ended')
        : { kind: 'return', ...(task.delay !== undefined && { delay: task.delay }) };
    default: {
      const never: never = interruption;
      return never;
    }
  }
}

/** A request that may have been sent, and whose end nobody saw. */
export function endUnknown(task: RequestTask, reason: string): Ending {
  const { method, url, idempotencyKey } = task.request;
  const key = idempotencyKey === undefined ? '' : `; idempotency key ${idempotencyKey}`;
  const error = new RequestError(
    'OutcomeUnknownError',
    `${method} ${redactUrl(url)} may have been sent ${sendTime(task)}, but ${reason}${key}`,
    { phase: 'sent' },
  );
  return endWith(errorOf(task, error), undefined);
}

/** Of a send in another process only the attempt that made it is known, by its schedule. */
function sendTime({ sentAt, bytes, scheduledAt, attempt }: RequestTask): string {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return sentAt === undefined
    ? `between ${iso(scheduledAt)} and ${iso(attempt.scheduledAt)}`
    : `at ${iso(sentAt)} (${bytes} response bytes seen)`;
}

function endWith(error: WireError, delay: number | undefined): Ending {
  return delay === undefined
    ? { kind: 'outcome', outcome: { kind: 'error', error } }
    : { kind: 'retry', delay, error };
}

function remaining(task: RequestTask): number {
  return task.deadlineAt === undefined ? Infinity : task.deadlineAt - Date.now();
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
