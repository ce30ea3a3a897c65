import { workflowInfo } from '@temporalio/workflow';
import { fitItems, statusOnly } from '../src/shared/batch.ts';
import { MAX_OUTCOMES_BYTES, type CheckedBatch } from '../src/shared/batch-spec.ts';
import { RequestError } from '../src/shared/errors.ts';
import { wireError } from '../src/shared/failure.ts';
import { failureContext, looseSpec, type LooseSpec } from '../src/shared/loose-spec.ts';
import { isSpecResendable } from '../src/shared/resend.ts';
import { mergeTemplates } from '../src/shared/template.ts';
import type { CallbackArgument, Json, RequestSpec, WireError } from '../src/shared/wire.ts';
import type { BatchOutcome, SinkItem } from '../src/shared/wire-batch.ts';
import { BatchSink } from './batch-sink.ts';
import type { BatchItem } from './batch-supply.ts';
import { BatchCallbacks, type ItemCallback } from './batch-callbacks.ts';
import type { TaskRoom } from './task-room.ts';

export interface EndedItem {
  item: BatchItem;
  outcome: BatchOutcome;
}

/** Gives outcomes to the batch's sink or result, and to the callbacks of its items. */
export class BatchReport {
  readonly #batch: CheckedBatch;
  readonly #runId: string;
  readonly #sink: BatchSink | undefined;
  readonly #outcomes: BatchOutcome[] = [];
  readonly #callbacks: BatchCallbacks;

  /** `runId`: what the ids of requests and callbacks are made of, beside the workflow's id. */
  constructor(
    batch: CheckedBatch,
    runId: string,
    taskQueue: string,
    room: TaskRoom,
    sinkOffset: number,
  ) {
    this.#batch = batch;
    this.#runId = runId;
    this.#callbacks = new BatchCallbacks(taskQueue, room);
    if (batch.sink) this.#sink = new BatchSink(batch.sink, taskQueue, room, sinkOffset);
  }

  get sinkOffset(): number {
    return this.#sink?.offset ?? 0;
  }

  /** Rejects when what it is to write to cannot be. */
  async open(): Promise<void> {
    await this.#sink?.open();
  }

  get requestId(): string {
    return `${workflowInfo().workflowId}/${this.#runId}`;
  }

  /** In order; what the result has room for. */
  get outcomes(): BatchOutcome[] {
    return fitItems(this.#outcomes, MAX_OUTCOMES_BYTES);
  }

  /** What the failure of an item says of its request. */
  context(item: BatchItem) {
    const spec = this.#specOf(item);
    const { requestId } = spec;
    const id = typeof requestId === 'string' ? requestId : undefined;
    return failureContext(spec, id ?? `${this.requestId}/${item.index}`);
  }

  isResendable(item: BatchItem): boolean {
    return isSpecResendable(this.#specOf(item));
  }

  hasCallback(item: BatchItem): boolean {
    return this.#specOf(item).callback !== undefined;
  }

  /** The items whose callback, if they have one, can be started when they have ended. */
  async withCallbacks(
    items: BatchItem[],
    refuse: (item: BatchItem, error: WireError) => void,
  ): Promise<BatchItem[]> {
    // A promise in the sandbox costs a stack trace, and most batches have thousands of items.
    if (!items.some((item) => this.hasCallback(item))) return items;
    const checked = await Promise.all(
      items.map(async (item) => {
        try {
          await this.#callbacks.targetOf(this.#specOf(item).callback);
          return [item];
        } catch (error) {
          if (!(error instanceof RequestError)) throw error;
          refuse(item, wireError(error, this.context(item)));
          return [];
        }
      }),
    );
    return checked.flat();
  }

  /**
   * The outcomes as the batch counts them: those of its result, which has `budget` bytes of JSON for
   * them, or else as they came.
   */
  keep(ended: EndedItem[], budget: number): BatchOutcome[] {
    const outcomes = ended.map(({ outcome }) => outcome);
    if (this.#sink || this.#batch.keep === 'none') return outcomes;
    // Payloads can be small where what they hold is not: with a store the bodies of thousands.
    const kept = fitItems(
      outcomes.map((outcome) => this.#kept(outcome)),
      budget,
    );
    for (const [i, { item }] of ended.entries()) this.#outcomes[item.index] = kept[i]!;
    return kept;
  }

  async tell(ended: EndedItem[]): Promise<void> {
    await this.#callbacks.deliver(
      ended
        .filter(({ item }) => this.hasCallback(item))
        .map(({ item, outcome }) => ({ index: item.index, ...this.#calledBack(item, outcome) })),
    );
    await this.#sink?.write(
      ended.map(({ item, outcome }): SinkItem => ({ index: item.index, ...outcome })),
    );
  }

  #calledBack(item: BatchItem, outcome: BatchOutcome): Omit<ItemCallback, 'index'> {
    const { callback, callbackArgs } = this.#specOf(item);
    const { workflowId } = workflowInfo();
    const argument: CallbackArgument = {
      requestId: this.context(item).requestId,
      ...('response' in outcome
        ? { outcome: 'response', response: outcome.response }
        : { outcome: 'error', error: outcome.error }),
      callbackArgs: (callbackArgs ?? null) as Json,
      request: { workflowId, runId: this.#runId },
    };
    return { callback, argument };
  }

  /** An item with a callback is reported in full. */
  #kept(outcome: BatchOutcome): BatchOutcome {
    if (this.#batch.keep === 'all' || 'error' in outcome) return outcome;
    return { response: statusOnly(outcome.response) };
  }

  #specOf({ spec }: BatchItem): LooseSpec {
    return mergeTemplates(this.#batch.defaults ?? {}, looseSpec(spec) as RequestSpec);
  }
}
