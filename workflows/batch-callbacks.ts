import { CancellationScope, proxyActivities } from '@temporalio/workflow';
import type { CallbackStart, ControlActivities } from '../src/shared/activities.ts';
import type { CallbackArgument, SignalCallback } from '../src/shared/wire.ts';
import { callbackStart, callbackTarget, signalCallback } from './callback.ts';
import { InOrder } from './in-order.ts';
import { inParts, type Part } from './parts.ts';
import type { TaskRoom } from './task-room.ts';

/** Most that one activity starts, or one workflow task signals: Temporal takes 2,000 signals at once. */
const MOST = 100;

/** Of Temporal's priorities, below the default. */
const LOW = 5;

/** What an item's callback is told. */
export interface ItemCallback {
  index: number;
  callback: unknown;
  argument: CallbackArgument;
}

interface Signal {
  target: SignalCallback;
  argument: CallbackArgument;
}

/** Starts and signals the callbacks of a batch's items, a part at a time. */
export class BatchCallbacks {
  readonly #taskQueue: string;
  readonly #room: TaskRoom;
  readonly #targets = new Map<string, ReturnType<typeof callbackTarget>>();
  /** One part after another: a cancel must not wait behind thousands of them. */
  readonly #calls = new InOrder();

  constructor(taskQueue: string, room: TaskRoom) {
    this.#taskQueue = taskQueue;
    this.#room = room;
  }

  /**
   * Asked once for each callback: a bare name's queue is another worker's to say.
   * @throws RequestError for a callback that cannot be started
   */
  targetOf(callback: unknown): ReturnType<typeof callbackTarget> {
    if (callback === undefined) return Promise.resolve(undefined);
    const name = JSON.stringify(callback);
    const target = this.#targets.get(name) ?? callbackTarget({ callback });
    this.#targets.set(name, target);
    return target;
  }

  async deliver(callbacks: ItemCallback[]): Promise<void> {
    const starts: CallbackStart[] = [];
    const signals: Signal[] = [];
    for (const { index, callback, argument } of callbacks) {
      // One without a queue was refused for it, and has nobody to tell.
      const target = await this.targetOf(callback).catch(() => undefined);
      if (!target) continue;
      if ('signal' in target) signals.push({ target, argument });
      else starts.push({ ...callbackStart(target, argument, index), argument });
    }
    const parts = [
      ...inParts(starts, MOST).map((part) => () => this.#start(part)),
      ...inParts(signals, MOST).map((part) => () => this.#signal(part)),
    ];
    await Promise.all(parts.map((tell) => this.#calls.run(tell)));
  }

  async #start({ items: starts, bytes }: Part<CallbackStart>): Promise<void> {
    await this.#room.take(bytes);
    const { startCallbacks } = proxyActivities<ControlActivities>({
      taskQueue: this.#taskQueue,
      startToCloseTimeout: '1m',
      retry: { maximumInterval: '1m' },
      priority: { priorityKey: LOW },
      summary: `${starts.length} callbacks`,
    });
    await CancellationScope.nonCancellable(() => startCallbacks(starts));
  }

  async #signal({ items: signals, bytes }: Part<Signal>): Promise<void> {
    await this.#room.take(bytes);
    await Promise.all(signals.map(({ target, argument }) => signalCallback(target, argument)));
  }
}
