import { CancellationScope, proxyActivities } from '@temporalio/workflow';
import type { ControlActivities } from '../src/shared/activities.ts';
import type { BatchSpec, SinkItem } from '../src/shared/wire-batch.ts';
import { InOrder } from './in-order.ts';
import { inParts, type Part } from './parts.ts';
import type { TaskRoom } from './task-room.ts';

/** Takes outcomes to a batch's sink, one call at a time: a file is written from end to end. */
export class BatchSink {
  readonly #sink: NonNullable<BatchSpec['sink']>;
  readonly #taskQueue: string;
  readonly #room: TaskRoom;
  #offset: number;
  readonly #calls = new InOrder();

  constructor(
    sink: NonNullable<BatchSpec['sink']>,
    taskQueue: string,
    room: TaskRoom,
    offset: number,
  ) {
    this.#sink = sink;
    this.#taskQueue = taskQueue;
    this.#room = room;
    this.#offset = offset;
  }

  /** Bytes of a file that are written. */
  get offset(): number {
    return this.#offset;
  }

  /** Before anything is sent: a file that cannot be written would take none of what was paid for. */
  async open(): Promise<void> {
    if ('file' in this.#sink) await this.#inOrder(() => this.#write({ items: [], bytes: 2 }));
  }

  /** Resolves when the sink has them, also after a cancel: what was paid for is not dropped. */
  write(items: SinkItem[]): Promise<void> {
    return this.#inOrder(async () => {
      for (const part of inParts(items)) await this.#write(part);
    });
  }

  #inOrder(action: () => Promise<void>): Promise<void> {
    return this.#calls.run(() => CancellationScope.nonCancellable(action));
  }

  async #write({ items, bytes }: Part<SinkItem>): Promise<void> {
    const sink = this.#sink;
    await this.#room.take(bytes);
    if ('file' in sink) {
      const { writeBatchFile } = proxyActivities<ControlActivities>({
        taskQueue: this.#taskQueue,
        startToCloseTimeout: '1m',
        summary: `write ${sink.file}`,
      });
      this.#offset = await writeBatchFile(sink.file, this.#offset, items);
      return;
    }
    const { activity, taskQueue } = sink;
    const activities = proxyActivities({ taskQueue, startToCloseTimeout: '10m' });
    await activities[activity]!(items);
  }
}
