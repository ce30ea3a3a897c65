import { ActivityFailure, CancelledFailure, TimeoutFailure } from '@temporalio/common';
import {
  condition,
  continueAsNew,
  defineQuery,
  isCancellation,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { fitItems, type ItemResult } from '../src/shared/batch.ts';
import { checkBatch, MAX_OUTCOMES_BYTES, type CheckedBatch } from '../src/shared/batch-spec.ts';
import { RequestError } from '../src/shared/errors.ts';
import { wireError } from '../src/shared/failure.ts';
import { failureContext, looseSpec, type LooseSpec } from '../src/shared/loose-spec.ts';
import { mergeTemplates } from '../src/shared/template.ts';
import type {
  BatchOutcome,
  BatchProgressReport,
  BatchResult,
  BatchSpec,
  CallbackArgument,
  Json,
  RequestSpec,
  SinkItem,
  WireError,
} from '../src/shared/wire.ts';
import { BatchSink } from './batch-sink.ts';
import { BatchSupply, isStopped, type BatchItem, type SupplyState } from './batch-supply.ts';
import { callbackTarget, deliverCallback } from './callback.ts';
import { requestError, toFailure } from './failure.ts';
import { belongsToSdk } from './sdk-errors.ts';
import { originalRun } from './spec.ts';
import { submitChunk } from './submit-request.ts';

const progressQuery = defineQuery<BatchProgressReport>('progress');

/** What a batch takes into its next run. */
export interface BatchState {
  /** The original run of the first of them: ids of requests and callbacks are made of it. */
  runId: string;
  supply: SupplyState;
  sinkOffset: number;
  succeeded: number;
  failed: number;
}

/**
 * Sends many requests, hundreds in one activity, and gives their outcomes in order. A request that
 * fails costs the others nothing; one that is to be tried again is, with the others of its kind,
 * in a later activity. Goes on in a new run when its history grows long.
 *
 * @throws `InvalidRequestError` for a batch that is wrong as a whole; nothing is sent then
 */
export async function patientBatch(batch: BatchSpec, state?: BatchState): Promise<BatchResult> {
  const { workflowId, runId: original } = originalRun();
  const { taskQueue } = workflowInfo();
  const runId = state?.runId ?? original;
  const argument = {
    requestId: `${workflowId}/${runId}`,
    callbackArgs: (looseSpec(batch) as BatchSpec).callbackArgs ?? null,
    request: { workflowId, runId },
  };
  let target: Awaited<ReturnType<typeof callbackTarget>>;
  let run: BatchRun;
  let result: BatchResult | undefined;
  try {
    target = await callbackTarget(looseSpec(batch));
    run = new BatchRun(checkBatch(batch), { taskQueue, runId, state, continues: true });
    setHandler(progressQuery, () => run.progress);
    result = await run.run();
  } catch (error) {
    const failure = asFailure(error, argument.requestId);
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

export interface BatchRunOptions {
  /** Of the Patient HTTP workers. */
  taskQueue: string;
  /** What the ids of its requests are made of, beside the workflow's id. */
  runId: string;
  state?: BatchState | undefined;
  /** Whether the rest may be left to another run. Default false. */
  continues?: boolean;
}

/** The engine of a batch, for a workflow of its own or in the midst of a user's. */
export class BatchRun {
  readonly #batch: CheckedBatch;
  readonly #supply: BatchSupply;
  readonly #sink: BatchSink | undefined;
  readonly #taskQueue: string;
  readonly #runId: string;
  readonly #continues: boolean;
  readonly #outcomes: BatchOutcome[] = [];
  /** What was refused before it was sent, and is not reported yet. */
  #refused: { item: BatchItem; error: WireError }[] = [];
  readonly #targets = new Map<string, ReturnType<typeof callbackTarget>>();
  #succeeded: number;
  #failed: number;
  #running = 0;
  #fault: unknown;

  constructor(
    batch: CheckedBatch,
    { taskQueue, runId, state, continues = false }: BatchRunOptions,
  ) {
    this.#batch = batch;
    this.#taskQueue = taskQueue;
    this.#runId = runId;
    this.#continues = continues;
    this.#succeeded = state?.succeeded ?? 0;
    this.#failed = state?.failed ?? 0;
    if (batch.sink) this.#sink = new BatchSink(batch.sink, taskQueue, state?.sinkOffset ?? 0);
    this.#supply = new BatchSupply(batch, taskQueue, state?.supply, (item, error) => {
      this.#refused.push({ item, error: wireError(error, this.#context(item)) });
    });
  }

  get progress(): BatchProgressReport {
    return {
      total: this.#supply.total,
      succeeded: this.#succeeded,
      failed: this.#failed,
      running: this.#running,
      retrying: this.#supply.retrying,
    };
  }

  get state(): BatchState {
    return {
      runId: this.#runId,
      supply: this.#supply.state,
      sinkOffset: this.#sink?.offset ?? 0,
      succeeded: this.#succeeded,
      failed: this.#failed,
    };
  }

  /**
   * Undefined when the rest is for another run. Rejects with the cancellation, or with what is wrong
   * with the batch as a whole, but only when nothing is in flight any more.
   */
  async run(): Promise<BatchResult | undefined> {
    const { concurrency, keep, sink } = this.#batch;
    await Promise.all(Array.from({ length: concurrency }, () => this.#lane()));
    if (this.#fault !== undefined) throw this.#fault;
    if (isStopped()) throw new CancelledFailure(`Cancelled: ${this.#summary}`);
    if (!this.#supply.isEmpty) return undefined;
    const counts = { succeeded: this.#succeeded, failed: this.#failed };
    if (sink) return { ...counts, sink };
    if (keep === 'none') return counts;
    return { outcomes: fitItems(this.#outcomes, MAX_OUTCOMES_BYTES), ...counts };
  }

  /** One chunk after another, until there is none. */
  async #lane(): Promise<void> {
    try {
      for (;;) {
        const items = await this.#next();
        await this.#reportRefused();
        if (!items) return;
        await this.#send(items);
      }
    } catch (error) {
      // The other lanes end first: what is in flight may have been paid for.
      if (!isCancellation(error)) this.#fault ??= error;
    }
  }

  /** Undefined when all is sent, or no more is to be. */
  async #next(): Promise<BatchItem[] | undefined> {
    while (!this.#stops) {
      const items = await this.#supply.next();
      if (items) {
        this.#running += items.length;
        return items;
      }
      if (this.#running === 0) return undefined;
      // Others may come back to be tried again.
      const { retrying } = this.#supply;
      await condition(() => this.#running === 0 || this.#supply.retrying > retrying || this.#stops);
    }
    return undefined;
  }

  get #stops(): boolean {
    return isStopped() || this.#isFull || this.#fault !== undefined;
  }

  async #send(given: BatchItem[]): Promise<void> {
    const { defaults, keep, sink } = this.#batch;
    const { workflowId } = workflowInfo();
    const requestId = `${workflowId}/${this.#runId}`;
    try {
      const items = (await this.#withCallbacks(given)).map((item) => {
        return { ...item, since: item.since ?? Date.now() };
      });
      const chunk = {
        items,
        ...(defaults && { defaults }),
        keep: sink ? ('all' as const) : keep,
        maxBytes: this.#budget(items.length),
      };
      const context = { requestId, batch: requestId };
      const results =
        items.length === 0
          ? []
          : await submitChunk(chunk, context, this.#taskQueue).catch((error: unknown) =>
              items.map((item) => ({ error: this.#lost(item, error) })),
            );
      await this.#take(items, results);
    } finally {
      this.#running -= given.length;
    }
    setCurrentDetails(this.#summary);
  }

  /** The items whose callback, if they have one, can be started when they have ended. */
  async #withCallbacks(items: BatchItem[]): Promise<BatchItem[]> {
    const checked = await Promise.all(
      items.map(async (item) => {
        try {
          await this.#targetOf(item);
          return [item];
        } catch (error) {
          if (!(error instanceof RequestError)) throw error;
          this.#refused.push({ item, error: wireError(error, this.#context(item)) });
          return [];
        }
      }),
    );
    await this.#reportRefused();
    return checked.flat();
  }

  /** Asked once for each callback: a bare name's queue is another worker's to say. */
  #targetOf(item: BatchItem): ReturnType<typeof callbackTarget> {
    const { callback } = this.#specOf(item);
    if (callback === undefined) return Promise.resolve(undefined);
    const name = JSON.stringify(callback);
    const target = this.#targets.get(name) ?? callbackTarget({ callback });
    this.#targets.set(name, target);
    return target;
  }

  async #take(items: BatchItem[], results: ItemResult[]): Promise<void> {
    const ended: { item: BatchItem; outcome: BatchOutcome | undefined }[] = [];
    for (const [position, item] of items.entries()) {
      const result = results[position]!;
      if (!('retryIn' in result)) {
        this.#count('response' in result);
        ended.push({ item, outcome: outcomeOf(result) });
      } else if (isStopped()) {
        this.#count(false);
        ended.push({ item, outcome: { error: result.error ?? this.#cancelled(item) } });
      } else {
        this.#supply.retry({ ...item, tries: result.tries }, result.retryIn);
      }
    }
    await this.#report(ended);
  }

  async #reportRefused(): Promise<void> {
    const refused = this.#refused.splice(0);
    for (const _ of refused) this.#count(false);
    await this.#report(refused.map(({ item, error }) => ({ item, outcome: { error } })));
  }

  async #report(ended: { item: BatchItem; outcome: BatchOutcome | undefined }[]): Promise<void> {
    const known = ended.filter((each) => each.outcome !== undefined) as {
      item: BatchItem;
      outcome: BatchOutcome;
    }[];
    if (known.length === 0) return;
    await Promise.all(known.map(({ item, outcome }) => this.#callBack(item, outcome)));
    if (this.#sink) {
      await this.#sink.write(
        known.map(({ item, outcome }): SinkItem => ({ index: item.index, ...outcome })),
      );
    } else if (this.#batch.keep !== 'none') {
      for (const { item, outcome } of known) this.#outcomes[item.index] = this.#kept(outcome);
    }
  }

  async #callBack(item: BatchItem, outcome: BatchOutcome): Promise<void> {
    const spec = this.#specOf(item);
    if (spec.callback === undefined) return;
    const { workflowId } = workflowInfo();
    const argument: CallbackArgument = {
      requestId: this.#context(item).requestId,
      ...('response' in outcome
        ? { outcome: 'response', response: outcome.response }
        : { outcome: 'error', error: outcome.error }),
      callbackArgs: (spec.callbackArgs ?? null) as Json,
      request: { workflowId, runId: this.#runId },
    };
    // One without a queue was refused for it, and has nobody to tell.
    const target = await this.#targetOf(item).catch(() => undefined);
    if (target) await deliverCallback(target, argument, item.index);
  }

  /** An item with a callback is reported in full. */
  #kept(outcome: BatchOutcome): BatchOutcome {
    if (this.#batch.keep === 'all' || 'error' in outcome) return outcome;
    return { response: { ...outcome.response, headers: {}, body: null } };
  }

  #count(succeeded: boolean): void {
    if (succeeded) this.#succeeded++;
    else this.#failed++;
  }

  /** Without a sink all outcomes have to fit into one result, each chunk's into its part. */
  #budget(items: number): number {
    const { sink, keep } = this.#batch;
    if (sink || keep === 'none') return MAX_OUTCOMES_BYTES;
    return Math.floor((MAX_OUTCOMES_BYTES * items) / Math.max(this.#supply.total, 1));
  }

  /** What an item ended with whose activity nobody saw the end of. */
  #lost(item: BatchItem, error: unknown): WireError {
    if (isCancellation(error)) return this.#cancelled(item);
    const cause = error instanceof ActivityFailure ? error.cause : undefined;
    const message = (cause ?? (error as Error)).message;
    const type = cause instanceof TimeoutFailure ? 'OutcomeUnknownError' : 'UnknownError';
    return wireError(new RequestError(type, message, { phase: 'sent' }), this.#context(item));
  }

  #cancelled(item: BatchItem): WireError {
    const message = 'Cancelled with its batch';
    const error = new RequestError('CancelledError', message, { phase: 'queued' });
    return wireError(error, this.#context(item));
  }

  #context(item: BatchItem) {
    const { workflowId } = workflowInfo();
    const spec = this.#specOf(item);
    const { requestId } = spec;
    const id = typeof requestId === 'string' ? requestId : undefined;
    return failureContext(spec, id ?? `${workflowId}/${this.#runId}/${item.index}`);
  }

  #specOf({ spec }: BatchItem): LooseSpec {
    return mergeTemplates(this.#batch.defaults ?? {}, looseSpec(spec) as RequestSpec);
  }

  /** A sink has what has ended; without one, history is bounded by what a result can hold. */
  get #isFull(): boolean {
    const { sink, keep } = this.#batch;
    if (sink === undefined && keep !== 'none') return false;
    return this.#continues && workflowInfo().continueAsNewSuggested;
  }

  get #summary(): string {
    const { total, succeeded, failed, running, retrying } = this.progress;
    return (
      `${succeeded + failed} of ${total} requests have ended, ${failed} failed; ` +
      `${running} running, ${retrying} waiting for their next try`
    );
  }
}

function outcomeOf(result: ItemResult): BatchOutcome | undefined {
  if ('response' in result && result.response) return { response: result.response };
  if ('error' in result && result.error) return { error: result.error };
  return undefined;
}

function asFailure(error: unknown, requestId: string): unknown {
  if (belongsToSdk(error)) return error;
  const known = error instanceof RequestError ? error : unknownError(error);
  return toFailure(known, failureContext({}, requestId));
}

function errorOf(failure: unknown, requestId: string): WireError {
  const context = failureContext({}, requestId);
  if (isCancellation(failure)) {
    const message = (failure as Error).message;
    return wireError(new RequestError('CancelledError', message), context);
  }
  return requestError(failure) ?? wireError(unknownError(failure), context);
}

function unknownError(cause: unknown): RequestError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new RequestError('UnknownError', message, { phase: 'queued', cause });
}
