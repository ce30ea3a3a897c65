import type { Log } from '../shared/log.ts';
import type { WireError, WireResponse } from '../shared/wire.ts';
import type { RequestTask } from './task.ts';

/** What an observer may see of a request. */
export type TaskView = Pick<
  RequestTask,
  'key' | 'request' | 'host' | 'phase' | 'bytes' | 'tryNumber' | 'elapsed' | 'acceptedAt'
>;

/** An error as an observer is told of it. */
export type ObservedError = Pick<WireError, 'type' | 'message' | 'phase'>;

/**
 * Told what a processor does. Every method is optional and called in the order of registration;
 * one that throws or rejects is logged and disturbs neither the request nor the other observers.
 * `requestStart` and `requestEnd` come in pairs, one pair per try on the wire; every ending but a
 * hand-over is told once, as `requestResponse` or `requestError`, also one without a try.
 */
export interface ProcessorObserver {
  /** The processor runs. Called once, at once for an observer added later. */
  start?(): void | Promise<void>;
  stop?(): void | Promise<void>;
  /** A request or a poller has to wait for a place. */
  capacityReached?(): void | Promise<void>;
  requestStart?(task: TaskView): void | Promise<void>;
  /** `retryIn`: ms until the next try, undefined when this response is delivered. */
  requestResponse?(task: TaskView, response: WireResponse, retryIn?: number): void | Promise<void>;
  /** `retryIn`: ms until the next try, undefined when this error is delivered. */
  requestError?(task: TaskView, error: ObservedError, retryIn?: number): void | Promise<void>;
  requestEnd?(task: TaskView): void | Promise<void>;
}

type Event = keyof ProcessorObserver;

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
