import { RequestError, type KeptOutcomeError } from '../shared/errors.ts';
import { wireError } from '../shared/failure.ts';
import { isLarge, wireResponse, type HeldResponse } from '../shared/held-response.ts';
import type { Outcome } from '../shared/outcome.ts';
import { raises } from '../shared/resolved-request.ts';
import type { Phase, WireError, WireResponse } from '../shared/wire.ts';
import { redactUrl } from '../shared/url.ts';
import { nextTryIn, retriesError, retriesStatus } from './retry-policy.ts';
import type { Interruption } from './owned-task.ts';
import type { RequestTask } from './task.ts';
import type { Ending } from './task-handler.ts';
import type { RetryAdvice, TransportResponse } from './transport.ts';

/** ms. */
const OFFERED_AGAIN = { least: 1_000, most: 30_000 };

/** Characters of a large body that are more than an error's response shows. */
const EXCERPT = 4096;

export function toWireResponse(task: RequestTask, received: TransportResponse): HeldResponse {
  // Field by field: a rest of an object costs more than all else here.
  const { status, headers, body, bodyEncoding, url, method, redirects } = received;
  return {
    status,
    headers,
    body,
    bodyEncoding,
    url,
    method,
    redirects,
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
  response: HeldResponse,
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
  if (delay === undefined && !raises(request, status)) {
    return { kind: 'outcome', outcome: { kind: 'response', response } };
  }
  const message = `HTTP ${status} response from ${request.method} ${redactUrl(response.url)}`;
  const error = new RequestError('HttpStatusError', message, {
    phase: 'sent',
    response: excerpt(response),
  });
  return endWith(errorOf(task, error), delay);
}

/** Enough of it for an error, which keeps less. */
export function excerpt(response: HeldResponse): WireResponse {
  const { body } = response;
  return wireResponse(isLarge(body) ? { ...response, body: body.start(EXCERPT) } : response);
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
    case 'cancelled':
    case 'revoked': {
      const by = interruption === 'revoked' ? ' by an operator' : '';
      const message = `${name} was cancelled${by} after ${Math.round(task.elapsed)} ms`;
      const error = errorOf(task, new RequestError('CancelledError', message, { phase }));
      return by ? endWith(error, undefined) : { kind: 'cancelled', error };
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

/** For what there is no room for: it waits in Temporal before it is offered again. `backlog`: ms. */
export function endCrowded(backlog: number, scheduledAt: number): Ending {
  const { least, most } = OFFERED_AGAIN;
  // No longer than it has waited, should the others' end come sooner than it seems.
  const wait = Math.min(backlog / 2, Date.now() - scheduledAt, most);
  return { kind: 'return', delay: Math.max(least, wait) * (1 + 0.2 * Math.random()) };
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

/** In place of what a request ended with, which is kept where no process could read it. */
export function unreadable(task: RequestTask, cause: KeptOutcomeError): Outcome {
  const error = new RequestError('UnknownError', cause.message, { phase: 'sent', cause });
  return { kind: 'error', error: errorOf(task, error) };
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
