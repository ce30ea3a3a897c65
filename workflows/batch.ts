import {
  continueAsNew,
  defineQuery,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { checkBatch } from '../src/shared/batch-spec.ts';
import { RequestError } from '../src/shared/errors.ts';
import { wireError } from '../src/shared/failure.ts';
import { failureContext, looseSpec } from '../src/shared/loose-spec.ts';
import { fits } from '../src/shared/spec-size.ts';
import type { Json, WireError } from '../src/shared/wire.ts';
import type { BatchProgressReport, BatchResult, BatchSpec } from '../src/shared/wire-batch.ts';
import { BatchRun } from './batch-run.ts';
import type { BatchState } from './batch-state.ts';
import { callbackTarget, deliverCallback } from './callback.ts';
import { requestError } from './failure.ts';
import { ownFailure, unknownError } from './own-failure.ts';
import { originalRun } from './spec.ts';

const progressQuery = defineQuery<BatchProgressReport>('progress');

/**
 * Sends many requests, hundreds in one activity, and gives their outcomes in order. A request that
 * fails costs the others nothing; one that is to be tried again is, with the others of its kind,
 * in a later activity. Goes on in a new run when its history grows long, and gives that its `state`.
 *
 * @throws `InvalidRequestError` for a batch that is wrong as a whole; nothing is sent then
 */
export async function patientBatch(batch: BatchSpec, state?: BatchState): Promise<BatchResult> {
  const { workflowId, runId: original } = originalRun();
  const { taskQueue } = workflowInfo();
  const runId = state?.runId ?? original;
  const { callbackArgs = null } = looseSpec(batch);
  const argument = {
    requestId: `${workflowId}/${runId}`,
    // What fits nowhere is why the batch was refused.
    callbackArgs: fits(callbackArgs) ? (callbackArgs as Json) : null,
    request: { workflowId, runId },
  };
  let target: Awaited<ReturnType<typeof callbackTarget>>;
  let run: BatchRun;
  let result: BatchResult | undefined;
  try {
    target = await callbackTarget(looseSpec(batch));
    const checked = checkBatch(batch, argument.requestId);
    run = new BatchRun(checked, { taskQueue, runId, state, continues: true });
    setHandler(progressQuery, () => run.progress);
    result = await run.run();
  } catch (error) {
    const failure = ownFailure(error, failureContext({}, argument.requestId));
    if (target) {
      const told = { outcome: 'error' as const, error: errorOf(failure, argument.requestId) };
      await deliverCallback(target, { ...argument, ...told });
    }
    throw failure;
  }
  if (!result) {
    const { requests, ...rest } = batch;
    return continueAsNew<typeof patientBatch>(
      requests ? { ...rest, requests: [] } : rest,
      run.state,
    );
  }
  const { outcomes: _, ...summary } = result;
  if (target) await deliverCallback(target, { ...argument, outcome: 'response', batch: summary });
  return result;
}

function errorOf(failure: unknown, requestId: string): WireError {
  const context = failureContext({}, requestId);
  if (isCancellation(failure)) {
    const message = (failure as Error).message;
    return wireError(new RequestError('CancelledError', message), context);
  }
  return requestError(failure) ?? wireError(unknownError(failure), context);
}
