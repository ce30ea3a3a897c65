import { isDeepStrictEqual } from 'node:util';
import { isErrorType } from '../../src/shared/errors.ts';
import type { CallbackArgument } from '../../src/index.ts';
import type { Journal, Part } from './journal.ts';
import { callbackResult, callbackRuns, runs, type EndedRequest } from './outcomes.ts';
import { LEASE_TTL, TASK_QUEUE, type World } from './world.ts';

/** Default of `maxCrashes`. */
const MAX_CRASHES = 3;

/** Each request ended once, as it may, and was sent as often as it may be. */
export async function checkRequests(
  world: World,
  requests: readonly EndedRequest[],
): Promise<void> {
  const { journal, target } = world;
  for (const request of requests) {
    const { id, kind, outcome, expected, resendable, tries } = request;
    const seen = target.hits.filter(({ path }) => path === request.path).length;
    const violation = (text: string): void => {
      const { spec, startedAt, endedAt, error } = request;
      const life = `${time(startedAt)} to ${time(endedAt)}`;
      journal.violation(
        `${id} (${kind}, ${life}, ${seen} hits, ended ${outcome}): ${text}; ` +
          JSON.stringify({ spec, error }),
      );
    };
    if (!mayEndLikeThis(request, journal)) violation(`expected ${expected}`);
    if (!resendable && seen > tries) violation(`at most ${tries} hits are allowed`);
    if (seen > tries && !isTouched(request, journal, 'worker', 'redis')) {
      violation(`sent again while its owner lived and Redis was there`);
    }
    if (outcome === expected && seen === 0) violation('nothing was sent');
  }
  const started = await runs(world.client, TASK_QUEUE);
  const again = started.length - new Set(started.map(({ workflowId }) => workflowId)).size;
  if (again > 0) journal.violation(`${again} request workflows ran more than once`);
}

function mayEndLikeThis(request: EndedRequest, journal: Journal): boolean {
  const { outcome, expected, cancelAsked, resendable } = request;
  if (outcome === expected) return true;
  if (outcome === 'cancelled') return cancelAsked;
  if (!isErrorType(outcome) || outcome !== 'OutcomeUnknownError') return false;
  if (resendable) return touching(request, journal, 'worker').length > MAX_CRASHES;
  // Its owner was lost, or two others at once.
  return (
    isTouched(request, journal, 'worker') ||
    (isTouched(request, journal, 'redis') && isTouched(request, journal, 'temporal'))
  );
}

function isTouched(request: EndedRequest, journal: Journal, ...parts: Part[]): boolean {
  return touching(request, journal, ...parts).length > 0;
}

/** Faults of these parts in the life of a request; what returns needs a moment to be itself again. */
function touching({ startedAt, endedAt }: EndedRequest, journal: Journal, ...parts: Part[]) {
  return journal.episodes.filter(
    ({ part, from, to }) =>
      parts.includes(part) && from <= endedAt && to + 2 * LEASE_TTL >= startedAt,
  );
}

/** Each callback ran exactly once, and got what its request ended with. */
export async function checkCallbacks(
  world: World,
  requests: readonly EndedRequest[],
): Promise<void> {
  const { journal } = world;
  const wanted = new Map(
    requests
      .filter(({ callback }) => callback)
      .map((request) => [`${request.id}:callback:${request.runId}`, request]),
  );
  const found = await callbackRuns(world, wanted.size);
  const times = new Map<string, number>();
  for (const { workflowId, status } of found) {
    times.set(workflowId, (times.get(workflowId) ?? 0) + 1);
    if (!wanted.has(workflowId)) journal.violation(`${workflowId} belongs to no request`);
    if (status !== 'COMPLETED') journal.violation(`${workflowId} ended ${status}`);
  }
  for (const [workflowId, request] of wanted) {
    const count = times.get(workflowId) ?? 0;
    if (count !== 1) journal.violation(`${workflowId} ran ${count} times`);
    if (count === 0) continue;
    const got = await callbackResult(world, workflowId);
    if (!isSameEnd(request, got)) {
      const { outcome, response, error } = request;
      journal.violation(
        `${workflowId} got ${JSON.stringify(got)}, ` +
          `its request ended ${JSON.stringify({ outcome, response, error })}`,
      );
    }
  }
}

function isSameEnd(request: EndedRequest, got: Partial<CallbackArgument>): boolean {
  const { id, outcome, response, error, callback } = request;
  if (got.requestId !== id) return false;
  if (outcome === 'cancelled') return got.error?.type === 'CancelledError';
  if (callback === 'rawCallback') {
    return isDeepStrictEqual([got.response, got.error], [response, error]);
  }
  const { status, attempt, body } = response ?? {};
  const { type, message, attempt: failedAttempt } = error ?? {};
  return (
    isDeepStrictEqual(got.response, response && { status, attempt, body }) &&
    isDeepStrictEqual(got.error, error && { type, message, attempt: failedAttempt })
  );
}

function time(epoch: number): string {
  return new Date(epoch).toISOString().slice(11, 23);
}
