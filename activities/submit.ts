import { AsyncLocalStorage } from 'node:async_hooks';
import { activityInfo, CompleteAsyncError, type Info } from '@temporalio/activity';
import type { RequestDefaults } from '../src/config/options.ts';
import type { Processor } from '../src/processor/processor.ts';
import type { RequestActivities } from '../src/shared/activities.ts';
import {
  NO_BATCH_PROGRESS,
  NO_PROGRESS,
  type BatchProgress,
  type Progress,
} from '../src/shared/attempt.ts';
import { DEFAULT_HEARTBEAT_TIMEOUT } from '../src/shared/constants.ts';
import { failureContext } from '../src/shared/loose-spec.ts';
import { resolveChunk } from './chunk.ts';
import { giveBack, giveBackUnread, isPatient } from './give-back.ts';
import { validateSpec } from './resolve-spec.ts';

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
  captureTrace: () => unknown = () => undefined,
): RequestActivities {
  return {
    async submitRequest(spec, context) {
      const info = activityInfo();
      giveBackUnread(info.heartbeatDetails, spec, context);
      const request = validateSpec(spec, context, defaults);
      const { deadline } = request;
      const input = {
        ...ownedInput(info),
        trace: captureTrace(),
        ...{ request, handsOn: context.handsOn },
        progress: { ...NO_PROGRESS, ...(info.heartbeatDetails as Partial<Progress> | undefined) },
        deadlineAt: deadline === undefined ? undefined : info.scheduledTimestampMs + deadline,
      };
      await outsideActivities(() => processor.submit(input)).catch(
        giveBack(input.progress, failureContext(spec, context.requestId), input.deadlineAt),
      );
      throw COMPLETED_LATER;
    },

    async submitBatch(chunk, context) {
      const info = activityInfo();
      giveBackUnread(info.heartbeatDetails, chunk, context);
      const details = info.heartbeatDetails as Partial<BatchProgress> | undefined;
      const progress = { ...NO_BATCH_PROGRESS, ...details };
      const input = {
        ...ownedInput(info),
        trace: captureTrace(),
        ...resolveChunk(chunk, context, defaults, info.scheduledTimestampMs),
        ...{ progress, skipsUnreadable: !isPatient(progress) },
      };
      await outsideActivities(() => processor.submitBatch(input)).catch(
        giveBack(progress, failureContext(chunk.defaults, context.requestId)),
      );
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
    workflowType: info.workflowType,
  };
}
