import { CancelledFailure } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { outcomeOf, type ItemResult } from '../src/shared/batch.ts';
import { MAX_CHUNK_SIZE, type CheckedBatch } from '../src/shared/batch-spec.ts';
import { wireError } from '../src/shared/failure.ts';
import { jsonBytes } from '../src/shared/text.ts';
import type { WireError } from '../src/shared/wire.ts';
import type { BatchOutcome, BatchProgressReport, BatchResult } from '../src/shared/wire-batch.ts';
import { failedError, lastTryError, noRoomError, unreadError } from './batch-errors.ts';
import {
  endsRetries,
  isOverfull,
  lanesOf,
  MAX_STATE_BYTES,
  outcomesBytes,
  resultBytes,
} from './batch-limits.ts';
import { BatchReport, type EndedItem } from './batch-report.ts';
import { summaryOf, type BatchRunOptions, type BatchState } from './batch-state.ts';
import { BatchSupply, bytesOf, type BatchItem } from './batch-supply.ts';
import { collect, type HeldChunk, type HeldItem, type Patience } from './held-outcomes.ts';
import { InOrder } from './in-order.ts';
import { lostResults, stoppedError } from './lost-chunk.ts';
import { submitChunk } from './submit-request.ts';
import { TaskRoom } from './task-room.ts';

/** The engine of a batch, for a workflow of its own or in the midst of a user's. */
export class BatchRun {
  readonly #batch: CheckedBatch;
  readonly #supply: BatchSupply;
  readonly #report: BatchReport;
  readonly #room = new TaskRoom();
  readonly #taskQueue: string;
  readonly #runId: string;
  readonly #continues: boolean;
  /** Of the runs of this batch. */
  readonly #isFirst: boolean;
  /** Left by the run before, or for the next one. */
  readonly #held: HeldChunk[];
  /** What was refused before it was sent, and is not reported yet. */
  #refused: { item: BatchItem; error: WireError }[] = [];
  #succeeded: number;
  #failed: number;
  #running = 0;
  /** One after another: each goes through history twice. */
  readonly #parts = new InOrder();
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
    this.#isFirst = state === undefined;
    this.#held = state?.held ?? [];
    this.#report = new BatchReport(batch, runId, taskQueue, this.#room, state?.sinkOffset ?? 0);
    this.#supply = new BatchSupply(batch, taskQueue, state?.supply, (item, error) => {
      this.#refuse(item, wireError(error, this.#report.context(item)));
    });
  }

  get progress(): BatchProgressReport {
    return {
      total: this.#supply.total,
      ...this.#counts,
      running: this.#running,
      retrying: this.#supply.retrying,
    };
  }

  get state(): BatchState {
    return {
      runId: this.#runId,
      supply: this.#supply.state,
      held: this.#held,
      sinkOffset: this.#report.sinkOffset,
      ...this.#counts,
    };
  }

  /**
   * Undefined when the rest is for another run. Rejects with the cancellation, or with what is wrong
   * with the batch as a whole, but only when nothing is in flight any more.
   */
  async run(): Promise<BatchResult | undefined> {
    const { keep, sink } = this.#batch;
    if (this.#isFirst) await this.#report.open();
    await this.#lanes(lanesOf(this.#batch));
    // There will be no next run for what was put aside for it.
    if (this.#isEnding) {
      await this.#lanes(this.#held.length);
      await this.#giveUp(this.#supply.takeRest());
    }
    if (this.#fault !== undefined) throw this.#fault;
    if (isStopped()) throw new CancelledFailure(`Cancelled: ${summaryOf(this.progress)}`);
    if (!this.#supply.isEmpty || this.#held.length > 0) return undefined;
    if (sink) return { ...this.#counts, sink };
    if (keep === 'none') return this.#counts;
    const { outcomes } = this.#report;
    // Some more may have given way to others.
    this.#succeeded = this.#failed = 0;
    this.#count(outcomes);
    return { outcomes, ...this.#counts };
  }

  async #lanes(count: number): Promise<void> {
    const left = this.#held.splice(0);
    await Promise.all(Array.from({ length: count }, () => this.#lane(left)));
    // Of lanes that have all met a fault.
    this.#held.push(...left);
  }

  /** One chunk after another, until there is none; first what is `left` of those that have ended. */
  async #lane(left: HeldChunk[]): Promise<void> {
    try {
      for (let chunk = left.shift(); chunk; chunk = left.shift()) {
        const { length } = chunk.items;
        this.#running += length;
        await this.#collect(chunk).finally(() => (this.#running -= length));
      }
      for (;;) {
        const items = await this.#next();
        await this.#reportRefused();
        if (!items) return;
        if (items.length > 0) await this.#send(items);
      }
    } catch (error) {
      // The other lanes end first: what is in flight may have been paid for.
      if (!isCancellation(error)) this.#fault ??= error;
    }
  }

  /** Undefined when all is sent, or no more is to be. */
  async #next(): Promise<BatchItem[] | undefined> {
    const readsOn = (): boolean => !this.#isFull && !this.#isEnding;
    const stops = (rest: BatchItem[] = []): boolean => {
      return this.#isEnding || this.#continuesAsNew(rest);
    };
    while (!stops()) {
      const items = await this.#supply.next(readsOn, stops);
      if (items) {
        this.#running += items.length;
        return items;
      }
      if (!this.#isOpen) return undefined;
      // Others may come back to be tried again, or end and make room for more.
      await condition(() => !this.#isOpen || this.#supply.hasMore(readsOn) || stops());
    }
    return undefined;
  }

  /** Whether something has been taken that has not ended. */
  get #isOpen(): boolean {
    return this.#running > 0 || this.#supply.isOpen;
  }

  /** Before its time. */
  get #isEnding(): boolean {
    return isStopped() || this.#fault !== undefined;
  }

  async #send(given: BatchItem[]): Promise<void> {
    const { defaults, keep, sink } = this.#batch;
    try {
      if (this.#isOverfull) return await this.#turnAway(given);
      const checked = await this.#report.withCallbacks(given, (item, error) => {
        this.#refuse(item, error);
      });
      await this.#reportRefused();
      if (this.#fault !== undefined) return await this.#giveUp(checked);
      const items = checked.map((item) => ({ ...item, since: item.since ?? Date.now() }));
      const chunk = {
        items,
        ...(defaults && { defaults }),
        keep: sink ? ('all' as const) : keep,
        maxBytes: this.#budget(items.length),
        ...(!sink && keep !== 'none' && { bounded: true }),
      };
      await this.#room.take(bytesOf(items) + jsonBytes(defaults));
      const activityId = uuid4();
      const results =
        items.length === 0
          ? []
          : await submitChunk(
              chunk,
              { requestId: this.#report.requestId },
              { activityId, taskQueue: this.#taskQueue },
            ).catch((error: unknown) =>
              lostResults(activityId, items, error, this.#report, this.#taskQueue),
            );
      const held = await this.#take(items, results);
      await this.#collect({ activityId, items: held });
    } finally {
      this.#running -= given.length;
      this.#supply.giveBack(given);
    }
    setCurrentDetails(summaryOf(this.progress));
  }

  /** Gives those whose outcomes wait to be collected. */
  async #take(items: BatchItem[], results: ItemResult[]): Promise<HeldItem[]> {
    const ended: EndedItem[] = [];
    const held: HeldItem[] = [];
    for (const [position, item] of items.entries()) {
      const result = results[position]!;
      if ('held' in result) {
        held.push({ ...item, position, bytes: result.held });
      } else if (!('retryIn' in result)) {
        const outcome = outcomeOf(result);
        if (outcome) ended.push({ item, outcome });
        else this.#count([result]);
        // Each round of retries puts its requests into history once more.
      } else if (
        this.#isEnding ||
        (endsRetries(this.#supply.chunks + 1) && !this.#continuesAsNew([item]))
      ) {
        const error = this.#isEnding
          ? (result.error ?? this.#stoppedError(item))
          : lastTryError(result.error, item, this.#report.context(item));
        ended.push({ item, outcome: { error } });
      } else {
        const { retryIn, tries, error } = result;
        this.#supply.retry({ ...item, tries }, retryIn, !error);
      }
    }
    await this.#tell(ended);
    return held;
  }

  /** What did not fit into the chunk's own result, part by part; the next run goes on with the rest. */
  async #collect(chunk: HeldChunk): Promise<void> {
    const patience: Patience = {
      waits: () => !this.#isEnding,
      giveUp: (item, reason) => ({ error: unreadError(reason, this.#report.context(item)) }),
    };
    const bytes = resultBytes(this.#batch);
    const collectPart = async (): Promise<boolean> => {
      if (this.#continuesAsNew(chunk.items) && !this.#isEnding) {
        this.#held.push(chunk);
        return false;
      }
      // Asked for none of them any more, whoever holds them forgets them.
      if (this.#isOverfull) await this.#turnAway(chunk.items.splice(0));
      const { items, results } = await collect(chunk, bytes, this.#taskQueue, patience);
      await this.#take(items, results);
      return chunk.items.length > 0;
    };
    for (let isMore = chunk.items.length > 0; isMore;) {
      // Nothing but what could not be read is left; the other chunks have their parts meanwhile.
      const { unread } = chunk.items[0]!;
      if (unread) await this.#pause(unread.again - Date.now());
      isMore = await this.#parts.run(collectPart);
    }
  }

  /** Until then, or until the batch is to end before its time. */
  async #pause(ms: number): Promise<void> {
    if (ms <= 0 || this.#isEnding) return;
    await condition(() => this.#isEnding, ms).catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
    });
  }

  /** Each of them may have a callback, which is told of every ending while history has room for it. */
  async #giveUp(items: BatchItem[]): Promise<void> {
    for (let i = 0; i < items.length; i += MAX_CHUNK_SIZE) {
      const part = items.slice(i, i + MAX_CHUNK_SIZE);
      if (endsRetries()) this.#failed += part.length;
      else for (const item of part) this.#refuse(item, this.#stoppedError(item));
      await this.#reportRefused();
    }
  }

  /** Of one that is not sent any more, since the batch ends before its time. */
  #stoppedError(item: BatchItem): WireError {
    return isStopped()
      ? stoppedError(item, false, this.#report)
      : failedError(item, this.#report.context(item));
  }

  async #turnAway(items: (BatchItem | HeldItem)[]): Promise<void> {
    for (const item of items) this.#refuse(item, noRoomError(item, this.#report.context(item)));
    await this.#reportRefused();
  }

  #refuse(item: BatchItem, error: WireError): void {
    this.#refused.push({ item, error });
  }

  async #reportRefused(): Promise<void> {
    const refused = this.#refused.splice(0);
    if (refused.length === 0) return;
    await this.#tell(refused.map(({ item, error }) => ({ item, outcome: { error } })));
  }

  /** A sink that takes no more ends the batch, and what is in hand has callbacks to be told. */
  async #tell(ended: EndedItem[]): Promise<void> {
    if (ended.length === 0) return;
    this.#count(this.#report.keep(ended, this.#budget(ended.length)));
    await this.#report.tell(ended).catch((error: unknown) => (this.#fault ??= error));
  }

  get #counts(): Pick<BatchResult, 'succeeded' | 'failed'> {
    return { succeeded: this.#succeeded, failed: this.#failed };
  }

  #count(outcomes: (BatchOutcome | ItemResult)[]): void {
    const succeeded = outcomes.filter((outcome) => 'response' in outcome).length;
    this.#succeeded += succeeded;
    this.#failed += outcomes.length - succeeded;
  }

  #budget(items: number): number {
    return outcomesBytes(this.#batch, items, this.#supply.total);
  }

  /** The next run's argument has to hold what is left, `more` included: until then this one goes on. */
  #continuesAsNew(more: BatchItem[] = []): boolean {
    if (!this.#isFull) return false;
    const held = this.#held.reduce((sum, { items }) => sum + bytesOf(items), bytesOf(more));
    return this.#supply.bytes + held <= MAX_STATE_BYTES;
  }

  /** A sink has what has ended; without one, history is bounded by what a result can hold. */
  get #isFull(): boolean {
    const { sink, keep } = this.#batch;
    if (sink === undefined && keep !== 'none') return false;
    return this.#continues && workflowInfo().continueAsNewSuggested;
  }

  /** Of what has ended is nothing here, but it has been. */
  get #isOverfull(): boolean {
    return !this.#continues && isOverfull(this.#batch);
  }
}

function isStopped(): boolean {
  return CancellationScope.current().consideredCancelled;
}
