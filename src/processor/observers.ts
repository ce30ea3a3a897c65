import type { Log } from '../shared/log.ts';
import type { WireError, WireResponse } from '../shared/wire.ts';
import type { ItemEnding } from './batch-task.ts';
import type { RequestTask } from './task.ts';
import type { Ending } from './task-handler.ts';

/** What an observer may see of a request. */
export type TaskView = Pick<
  RequestTask,
  | 'key'
  | 'request'
  | 'host'
  | 'path'
  | 'phase'
  | 'bytes'
  | 'tryNumber'
  | 'startedAt'
  | 'trace'
  | 'workflowType'
  | 'elapsed'
  | 'acceptedAt'
  | 'waitingFor'
  | 'outcomeSince'
>;

/** An error as an observer is told of it. */
export type ObservedError = Pick<WireError, 'type' | 'message' | 'phase'>;

/**
 * Told what a processor does. Every method is optional and called in the order of registration;
 * one that throws or rejects is logged and disturbs neither the request nor the other observers.
 * `requestStart` and `requestEnd` come in pairs, one pair per try on the wire; every ending but a
 * hand-over is told once, as `requestResponse` or `requestError`, also one without a try: by the
 * process that saw it, whoever delivers it. An error that takes a response's place after that is told
 * once too, as `responseReplaced`, by the process that delivered it.
 */
export interface ProcessorObserver {
  /** The processor runs. Called once, at once for an observer added later. */
  start?(): void | Promise<void>;
  /** It has stopped; nothing is in flight any more. */
  stop?(): void | Promise<void>;
  /** A request or a poller has to wait for a place. */
  capacityReached?(): void | Promise<void>;
  /** A try goes out. */
  requestStart?(task: TaskView): void | Promise<void>;
  /** `retryIn`: ms until the next try, undefined when this response is delivered. */
  requestResponse?(task: TaskView, response: WireResponse, retryIn?: number): void | Promise<void>;
  /** `retryIn`: ms until the next try, undefined when this error is delivered. */
  requestError?(task: TaskView, error: ObservedError, retryIn?: number): void | Promise<void>;
  /**
   * The workflow was given this error instead of the response that `requestResponse` told of: it is too
   * large for Temporal, cannot be encoded, or was cancelled on its way.
   */
  responseReplaced?(task: TaskView, error: ObservedError): void | Promise<void>;
  /** That try is over, whichever way. */
  requestEnd?(task: TaskView): void | Promise<void>;
}

type Event = keyof ProcessorObserver;

type Seen = ItemEnding['kind'] | Ending['kind'];

export class Observers {
  readonly #observers = new Set<ProcessorObserver>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  add(observer: ProcessorObserver): void {
    if (this.#observers.has(observer)) throw new TypeError('This observer is already registered');
    this.#observers.add(observer);
  }

  notify<E extends Event>(event: E, ...args: Parameters<NonNullable<ProcessorObserver[E]>>): void {
    // A copy: one added by an observer meanwhile is told what it must know when it is added.
    for (const observer of [...this.#observers]) this.tell(observer, event, ...args);
  }

  /** Tells of the error that a workflow was given, if any, unless one was told. `seen`: what was. */
  tellDelivered(task: RequestTask, seen: Seen | undefined): void {
    const { deliveredError } = task;
    if (!deliveredError || seen === 'error' || seen === 'cancelled') return;
    const isResponse = seen === 'response' || seen === 'encoded';
    this.notify(isResponse ? 'responseReplaced' : 'requestError', task, deliveredError);
  }

  tell<E extends Event>(
    observer: ProcessorObserver,
    event: E,
    ...args: Parameters<NonNullable<ProcessorObserver[E]>>
  ): void {
    const failed = (error: unknown): void => {
      this.#log.warn('An observer failed', { event, error });
    };
    try {
      const method = observer[event] as ((...a: unknown[]) => unknown) | undefined;
      const result = method?.apply(observer, args);
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}
