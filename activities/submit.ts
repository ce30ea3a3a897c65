import { AsyncLocalStorage } from 'node:async_hooks';
import { activityInfo, CompleteAsyncError, type Info } from '@temporalio/activity';
import type { RequestDefaults } from '../src/config/options.ts';
import type { Processor } from '../src/processor/processor.ts';
import type { RequestActivities } from '../src/shared/activities.ts';
import {
  NO_BATCH_PROGRESS,
  NO_PROGRESS,
  type AttemptProgress,
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
      const details = info.heartbeatDetails as Partial<Progress> | undefined;
      const known = { ...NO_PROGRESS, ...details };
      const request = validateSpec(spec, context, defaults);
      const { deadline } = request;
      const input = {
        ...ownedInput(info),
        trace: captureTrace(),
        ...{ request, handsOn: context.handsOn },
        progress: uncounted(known),
        deadlineAt: deadline === undefined ? undefined : info.scheduledTimestampMs + deadline,
      };
      await outsideActivities(() => processor.submit(input)).catch(
        giveBack(known, failureContext(spec, context.requestId), input.deadlineAt),
      );
      throw COMPLETED_LATER;
    },

    async submitBatch(chunk, context) {
      const info = activityInfo();
      giveBackUnread(info.heartbeatDetails, chunk, context);
      const details = info.heartbeatDetails as Partial<BatchProgress> | undefined;
      const known = { ...NO_BATCH_PROGRESS, ...details };
      const skipsUnreadable = !isPatient(known);
      const input = {
        ...ownedInput(info),
        trace: captureTrace(),
        ...resolveChunk(chunk, context, defaults, info.scheduledTimestampMs),
        ...{ progress: skipsUnreadable ? known : uncounted(known), skipsUnreadable },
      };
      await outsideActivities(() => processor.submitBatch(input)).catch(
        giveBack(known, failureContext(chunk.defaults, context.requestId)),
      );
      throw COMPLETED_LATER;
    },
  };
}

/** Of an attempt that can read everything: those that could not count no longer. */
function uncounted<P extends AttemptProgress>(progress: P): Omit<P, 'unread'> {
  const { unread: _, ...rest } = progress;
  return rest;
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
