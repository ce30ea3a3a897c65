import { keyFromString, keyString } from '../shared/request-key.ts';
import { BatchTask } from './batch-task.ts';
import type { Interruption } from './owned-task.ts';
import { RequestTask } from './task.ts';
import { MAX_TIMER } from '../shared/constants.ts';

export type Task = RequestTask | BatchTask;

/** Items that have ended and wait for the rest of their batches, or for their delivery. */
export interface EndedItems {
  count: number;
  /** Those whose outcomes are nowhere but here. */
  unkept: number;
  /** ms for which Temporal has not taken the oldest results; 0 while items are still waited for. */
  deliveringFor: number;
}

/** What this process has of Temporal's activities, by id. */
export class Tasks {
  /** A newer attempt of one that has ended can take its place. */
  readonly #byId = new Map<string, Task>();
  #onIdle: (() => void) | undefined;

  [Symbol.iterator](): Iterator<Task> {
    return this.#byId.values();
  }

  get(id: string): Task | undefined {
    return this.#byId.get(id);
  }

  /** Also an item of a batch, by the key that it has beside its batch's. */
  find(id: string): Task | undefined {
    return this.#byId.get(id) ?? this.#itemOf(id);
  }

  add(task: Task): void {
    this.#byId.set(task.id, task);
  }

  delete(task: Task): void {
    if (this.#byId.get(task.id) === task) this.#byId.delete(task.id);
    if (this.#byId.size === 0) this.#onIdle?.();
  }

  clear(): void {
    this.#byId.clear();
  }

  /** Items of batches that have ended, and whose results Temporal does not have. */
  get ended(): EndedItems {
    const ended: EndedItems = { count: 0, unkept: 0, deliveringFor: 0 };
    for (const task of this.#byId.values()) {
      if (!(task instanceof BatchTask) || task.ended === 0) continue;
      ended.count += task.ended;
      ended.unkept += task.unkept;
      ended.deliveringFor = Math.max(ended.deliveringFor, task.deliveringFor);
    }
    return ended;
  }

  /** Items of batches that have ended, and whose delivery has gone on for more than `ms`. */
  undelivered(ms: number): number {
    let items = 0;
    for (const task of this.#byId.values()) {
      if (task instanceof BatchTask && task.deliveringFor > ms) items += task.items.length;
    }
    return items;
  }

  /** What items of batches ended with, and the store has not; `lost`: batches of which it has nothing. */
  settleAgain(lost: ReadonlySet<string>): void {
    for (const task of this.#byId.values()) {
      if (task instanceof BatchTask) void task.settleAgain(lost.has(task.id));
    }
  }

  /**
   * What is decided, or is about to be, goes nowhere but to Temporal; some of it waits for a payload
   * store first.
   */
  interruptDeliveries(reason: Interruption): void {
    for (const task of this.#byId.values()) task.interruptDelivery(reason);
  }

  /** Resolves when none is left, or after `ms`. */
  async idle(ms: number): Promise<void> {
    if (this.#byId.size === 0 || ms <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms, MAX_TIMER));
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onIdle = undefined;
  }

  #itemOf(id: string): RequestTask | undefined {
    const { index, ...key } = keyFromString(id);
    const batch = index === undefined ? undefined : this.#byId.get(keyString(key));
    const item = batch instanceof BatchTask ? batch.items[index!] : undefined;
    return item instanceof RequestTask ? item : undefined;
  }
}
