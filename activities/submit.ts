import { AsyncLocalStorage } from 'node:async_hooks';
import { activityInfo, CompleteAsyncError, type Info } from '@temporalio/activity';
import { finalFailure } from '../src/completion/failure.ts';
import { resolveChunk } from './chunk.ts';
import { resolveRequest } from '../src/config/request-spec.ts';
import type { RequestDefaults } from '../src/config/options.ts';
import type { Processor } from '../src/processor/processor.ts';
import type { RequestActivities, SubmitContext } from '../src/shared/activities.ts';
import {
  NO_BATCH_PROGRESS,
  NO_PROGRESS,
  type BatchProgress,
  type Progress,
} from '../src/shared/attempt.ts';
import { DEFAULT_HEARTBEAT_TIMEOUT } from '../src/shared/constants.ts';
import { invalidRequest, RequestError } from '../src/shared/errors.ts';
import { wireError } from '../src/shared/failure.ts';
import { failureContext } from '../src/shared/loose-spec.ts';
import type { ResolvedRequest } from '../src/shared/resolved-request.ts';

/**
 * Runs a function outside any activity. Whatever a request starts would otherwise keep the
 * context of its long-ended activity alive, and act under its deadlines.
 */
const outsideActivities = AsyncLocalStorage.snapshot();

/** One for all: nobody looks at its stack, and taking one for each request is not free. */
const COMPLETED_LATER = new CompleteAsyncError();

export function createRequestActivities(
  processor: Pick<Processor, 'submit' | 'submitBatch'>,
  defaults: RequestDefaults,
): RequestActivities {
  return {
    async submitRequest(spec, context) {
      const request = validateSpec(spec, context, defaults);
      const { deadline } = request;
      const info = activityInfo();
      const input = {
        ...ownedInput(info),
        request,
        progress: { ...NO_PROGRESS, ...(info.heartbeatDetails as Partial<Progress> | undefined) },
        deadlineAt: deadline === undefined ? undefined : info.scheduledTimestampMs + deadline,
      };
      await outsideActivities(() => processor.submit(input));
      throw COMPLETED_LATER;
    },

    async submitBatch(chunk, context) {
      const info = activityInfo();
      const details = info.heartbeatDetails as Partial<BatchProgress> | undefined;
      const input = {
        ...ownedInput(info),
        ...resolveChunk(chunk, context, defaults, info.scheduledTimestampMs),
        progress: { ...NO_BATCH_PROGRESS, ...details },
      };
      await outsideActivities(() => processor.submitBatch(input));
      throw COMPLETED_LATER;
    },
  };
}

function ownedInput(info: Info) {
  const { workflowId = '', runId = info.activityRunId ?? '' } = info.workflowExecution ?? {};
  return {
    key: { namespace: info.namespace, workflowId, runId, activityId: info.activityId },
    attempt: {
      number: info.attempt,
      scheduledAt: info.currentAttemptScheduledTimestampMs,
      // A copy: the original is a view that keeps the whole task, arguments and all, in memory.
      token: new Uint8Array(info.taskToken),
    },
    // 0 when the caller set none.
    heartbeatTimeout: info.heartbeatTimeoutMs || DEFAULT_HEARTBEAT_TIMEOUT,
    scheduledAt: info.scheduledTimestampMs,
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
    // A spec that the validation stumbles over would be retried for ever.
    const refusal =
      error instanceof RequestError
        ? error
        : invalidRequest(`spec: expected one that can be validated, got ${nameOf(error)}`);
    throw finalFailure(wireError(refusal, failureContext(spec, context.requestId)));
  }
}

/** Its message could quote what is secret. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'an error';
}
