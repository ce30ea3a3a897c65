import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ActivityNotFoundError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import type { BatchHandle } from '../../client.ts';
import type { Json } from '../../shared/wire.ts';
import type { BatchResult, BatchSpec, SinkItem } from '../../shared/wire-batch.ts';
import { CliError, UsageError } from '../failure.ts';
import { workflowArguments } from '../history.ts';
import { say } from '../output.ts';
import { watchForStarvation } from '../queues.ts';
import type { NativeTemporalClient } from '../temporal-native.ts';
import { insist, untilInterrupted } from '../waiting.ts';
import { showProgress, type ProgressView } from './progress.ts';
import type { RequestsFile } from './requests-file.ts';
import type { Results } from './results-file.ts';

export { withNativeTemporal } from '../temporal-native.ts';

/** ms between two questions for the progress. */
const POLL = 1_000;

/**
 * The batch of this id, if there is one.
 * @throws UsageError for a workflow that reads something else
 */
export async function findBatch(
  access: NativeTemporalClient,
  workflowId: string,
  { source, sink }: BatchSpec,
): Promise<{ ago: number } | undefined> {
  try {
    const { runId, startTime } = await access.client.workflow.getHandle(workflowId).describe();
    const [batch] = await workflowArguments(access, { workflowId, runId });
    const there = Object(batch) as Partial<BatchSpec>;
    if (!isDeepStrictEqual(there.source, source)) {
      throw new UsageError(`--workflow-id: ${workflowId} is there, and not a batch of this file`);
    }
    if (!isDeepStrictEqual(there.sink, sink)) {
      const how = there.sink ? 'without' : 'with';
      throw new UsageError(`--keep: ${workflowId} was started ${how} --keep none`);
    }
    return { ago: Date.now() - startTime.getTime() };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** Of Temporal's enum PendingActivityState. */
const STARTED = 2;

/**
 * What a process had taken when it died would be missed only after its timeout, of ten minutes: failed
 * by id, it comes again at once. Results that were written all the same are known by their index.
 */
async function takeOver({ client }: NativeTemporalClient, workflowId: string): Promise<void> {
  const { runId, raw } = await client.workflow.getHandle(workflowId).describe();
  const held = (raw.pendingActivities ?? []).filter(
    ({ activityType, state }) => ACTIVITIES.has(activityType?.name ?? '') && state === STARTED,
  );
  const message = 'Another process serves the batch now';
  const failure = ApplicationFailure.create({ message, nextRetryDelay: '1ms' });
  for (const { activityId } of held) {
    await client.activity
      .fail({ workflowId, runId, activityId: activityId! }, failure)
      .catch((error: unknown) => {
        // It has ended meanwhile.
        if (!(error instanceof ActivityNotFoundError)) throw error;
      });
  }
}

const ACTIVITIES = new Set(['readRequests', 'writeResults']);

export interface Serving {
  requests: RequestsFile;
  results: Results;
  taskQueue: string;
  /** Whether results go to standard output. */
  printed: boolean;
  cancelOnInterrupt: boolean;
}

/** Feeds the batch and takes its results until it has ended. */
export async function serveBatch(
  access: NativeTemporalClient,
  handle: BatchHandle,
  { requests, results, taskQueue, printed, cancelOnInterrupt }: Serving,
): Promise<BatchResult> {
  const { connection, namespace } = access;
  await takeOver(access, handle.workflowId);
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue,
    dataConverter: access.dataConverter,
    activities: {
      readRequests: (cursor: Json) => retried(() => requests.read(Number(cursor ?? 0))),
      writeResults: (items: SinkItem[]) => retried(() => results.write(items)),
    },
  });
  const running = worker.run();
  const ended = new AbortController();
  const view = showProgress(requests.total, printed);
  const calm = watchForStarvation(access);
  void watch(handle, view, ended.signal);
  try {
    const result = insist(() => handle.result());
    const work = Promise.race([result, running.then(() => result)]);
    return await untilInterrupted(work, {
      message: () =>
        `batch ${handle.workflowId} waits for this command: the same one goes on, ` +
        '`patient cancel` ends it',
      cancel: cancelOnInterrupt ? () => handle.cancel() : undefined,
    });
  } catch (error) {
    const isEnd = error instanceof CancelledFailure || error instanceof ApplicationFailure;
    if (!isEnd) throw error;
    const { workflowId } = handle;
    throw new CliError(`${workflowId}: ${error.message}; another --workflow-id sends it anew`);
  } finally {
    ended.abort();
    calm();
    view.end();
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await running;
  }
}

/** What goes wrong here is no ending of the batch: it is said, and tried again. */
async function retried<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    say((error as Error).message);
    throw ApplicationFailure.retryable((error as Error).message);
  }
}

/** Shows the progress until the batch has ended. */
async function watch(handle: BatchHandle, view: ProgressView, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await delay(POLL, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    // None between two runs of its workflow, or while no worker is there.
    const report = await handle.progress().catch(() => undefined);
    if (report && !signal.aborted) view.show(report);
  }
}
