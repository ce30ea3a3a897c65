import type { ObservedError, ProcessorObserver, TaskView } from '../processor/observers.ts';
import type { Log } from '../shared/log.ts';
import { raises } from '../shared/resolved-request.ts';
import { cutText } from '../shared/text.ts';
import type { WireResponse } from '../shared/wire.ts';
import {
  addBuckets,
  countDuration,
  countUp,
  HOUR,
  MAX_FAILURES,
  MINUTE,
  noCounts,
  startOf,
  type Buckets,
  type Counts,
  type Delta,
  type StatisticsStore,
} from './statistics.ts';
import type { FailureRecord } from './port.ts';

/** ms from the first thing to store until it is stored, with all that has come meanwhile. */
const INTERVAL = 2_000;
/** Bytes of a failure's message. */
const MAX_MESSAGE = 500;

/**
 * Counts what a processor does and stores it every few seconds in one call. What cannot be stored is
 * kept, and stored with what comes after it; what a killed process had not stored yet is lost.
 */
export class StatisticsRecorder implements ProcessorObserver {
  readonly #store: StatisticsStore;
  readonly #log: Log;
  #minutes: Buckets = {};
  #failures: FailureRecord[] = [];
  /** On its way: once sent it may have arrived, so it is repeated as it is. */
  #pending: Delta | undefined;
  #number = 1;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  #stopped = false;

  constructor(store: StatisticsStore, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  start(): void {
    this.#stopped = false;
  }

  stop(): Promise<void> {
    this.#stopped = true;
    return this.flush();
  }

  requestResponse(task: TaskView, response: WireResponse, retryIn?: number): void {
    const counts = this.#now();
    if (retryIn !== undefined) {
      counts.retries++;
      return;
    }
    const { status, durationMs } = response;
    counts.requests++;
    countUp(counts.statuses, status);
    countDuration(counts, durationMs);
    if (raises(task.request, status)) {
      this.#fail(counts, task, { type: 'HttpStatusError', message: `HTTP ${status} response` });
    }
  }

  requestError(task: TaskView, error: ObservedError, retryIn?: number): void {
    const counts = this.#now();
    if (retryIn !== undefined) {
      counts.retries++;
      return;
    }
    counts.requests++;
    // What never went out has taken no time of its target's.
    if (task.startedAt !== undefined) countDuration(counts, Math.round(task.elapsed));
    this.#fail(counts, task, error);
  }

  /** The request is counted already, as one that got this response. */
  responseReplaced(task: TaskView, error: ObservedError): void {
    this.#fail(this.#now(), task, error);
  }

  capacityReached(): void {
    this.#now().capacityReached++;
  }

  /** Stores what there is. Never rejects: what is not stored now is stored later. */
  flush(): Promise<void> {
    return (this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    }));
  }

  /** Forgets what is not stored yet. */
  clear(): void {
    this.#take();
    // It may arrive all the same, and its number with it.
    if (this.#pending) this.#number++;
    this.#pending = undefined;
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      while ((this.#pending ??= this.#take())) {
        await this.#store.record(this.#pending, this.#number);
        this.#pending = undefined;
        this.#number++;
      }
    } catch (error) {
      this.#log.debug('Statistics could not be stored; trying again later', { error });
      this.#arm();
    }
  }

  #take(): Delta | undefined {
    const [minutes, failures] = [this.#minutes, this.#failures];
    if (Object.keys(minutes).length === 0) return undefined;
    this.#minutes = {};
    this.#failures = [];
    const hours: Buckets = {};
    addBuckets(hours, minutes, HOUR);
    return { hours, minutes, failures };
  }

  #now(): Counts {
    this.#arm();
    return (this.#minutes[startOf(Date.now(), MINUTE)] ??= noCounts());
  }

  #arm(): void {
    if (this.#stopped) return;
    this.#timer ??= setTimeout(() => void this.flush(), INTERVAL);
  }

  #fail(
    counts: Counts,
    { key, workflowType, request, host, path, tryNumber }: TaskView,
    { type, message }: Pick<ObservedError, 'type' | 'message'>,
  ): void {
    counts.errors++;
    countUp(counts.errorsByType, type);
    this.#failures.push({
      ...{ at: Date.now(), type, message: cutText(message, MAX_MESSAGE) },
      ...{ method: request.method, host, path, requestId: request.requestId },
      ...{ key, workflowType, attempt: tryNumber },
    });
    if (this.#failures.length > MAX_FAILURES) this.#failures.shift();
  }
}
