import { AsyncLocalStorage } from 'node:async_hooks';
import { activityInfo, CompleteAsyncError } from '@temporalio/activity';
import { finalFailure } from '../src/completion/failure.ts';
import { resolveRequest } from '../src/config/request-spec.ts';
import type { RequestDefaults } from '../src/config/options.ts';
import type { Processor } from '../src/processor/processor.ts';
import type { RequestActivities, SubmitContext } from '../src/shared/activities.ts';
import { NO_PROGRESS, type Progress } from '../src/shared/attempt.ts';
import { DEFAULT_HEARTBEAT_TIMEOUT, METHODS } from '../src/shared/constants.ts';
import { RequestError } from '../src/shared/errors.ts';
import { wireError } from '../src/shared/failure.ts';
import type { ResolvedRequest } from '../src/shared/resolved-request.ts';

/**
 * Runs a function outside any activity. Whatever a request starts would otherwise keep the
 * context of its long-ended activity alive, and act under its deadlines.
 */
const outsideActivities = AsyncLocalStorage.snapshot();

/** One for all: nobody looks at its stack, and taking one for each request is not free. */
const COMPLETED_LATER = new CompleteAsyncError();

export function createRequestActivities(
  processor: Pick<Processor, 'submit'>,
  defaults: RequestDefaults,
): RequestActivities {
  return {
    async submitRequest(spec, context) {
      const info = activityInfo();
      const { workflowId = '', runId = info.activityRunId ?? '' } = info.workflowExecution ?? {};
      const request = validateSpec(spec, context, defaults);
      const { deadline } = request;
      const input = {
        key: { namespace: info.namespace, workflowId, runId, activityId: info.activityId },
        request,
        attempt: {
          number: info.attempt,
          scheduledAt: info.currentAttemptScheduledTimestampMs,
          // A copy: the original is a view that keeps the whole task, arguments and all, in memory.
          token: new Uint8Array(info.taskToken),
        },
        progress: readProgress(info.heartbeatDetails),
        heartbeatTimeout: info.heartbeatTimeoutMs ?? DEFAULT_HEARTBEAT_TIMEOUT,
        deadlineAt: deadline === undefined ? undefined : info.scheduledTimestampMs + deadline,
      };
      await outsideActivities(() => processor.submit(input));
      throw COMPLETED_LATER;
    },
  };
}

/** @throws ApplicationFailure, final, for a spec that is wrong */
export function validateSpec(
  spec: unknown,
  context: SubmitContext,
  defaults: RequestDefaults,
): ResolvedRequest {
  try {
    return resolveRequest(spec, { requestId: context.requestId, defaults });
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    const { url, method } = describeSpec(spec);
    const { requestId } = context;
    throw finalFailure(wireError(error, { url, method, requestId, durationMs: 0, attempt: 1 }));
  }
}

/** URL and method of a spec that can be anything. */
function describeSpec(spec: unknown): { url: string; method: string } {
  if (typeof spec === 'string') return { url: spec, method: 'GET' };
  const { url, method } = (spec ?? {}) as { url?: unknown; method?: unknown };
  const known = METHODS.find((name) => name === String(method).toUpperCase());
  return { url: typeof url === 'string' ? url : '', method: known ?? 'GET' };
}

function readProgress(details: unknown): Progress {
  return { ...NO_PROGRESS, ...(details as Partial<Progress> | undefined) };
}
