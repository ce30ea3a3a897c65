import { CancellationScope, proxyActivities } from '@temporalio/workflow';
import type { ControlActivities } from '../src/shared/activities.ts';
import type { BatchSpec, SinkItem } from '../src/shared/wire.ts';

/** Takes outcomes to a batch's sink, one call at a time: a file is written from end to end. */
export class BatchSink {
  readonly #sink: NonNullable<BatchSpec['sink']>;
  readonly #taskQueue: string;
  #offset: number;
  #last: Promise<unknown> = Promise.resolve();

  constructor(sink: NonNullable<BatchSpec['sink']>, taskQueue: string, offset: number) {
    this.#sink = sink;
    this.#taskQueue = taskQueue;
    this.#offset = offset;
  }

  /** Bytes of a file that are written. */
  get offset(): number {
    return this.#offset;
  }

  /** Resolves when the sink has them, also after a cancel: what was paid for is not dropped. */
  write(items: SinkItem[]): Promise<void> {
    const written = this.#last.then(() =>
      CancellationScope.nonCancellable(() => this.#write(items)),
    );
    this.#last = written.catch(() => undefined);
    return written;
  }

  async #write(items: SinkItem[]): Promise<void> {
    const sink = this.#sink;
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
