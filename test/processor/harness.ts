import { createSecureContext } from 'node:tls';
import { randomUUID } from 'node:crypto';
import { resolveOptions } from '../../src/config/options.ts';
import { resolveRequest } from '../../src/config/request-spec.ts';
import { createTransport } from '../../src/http/transport.ts';
import { MemoryLiveness } from '../../src/liveness/memory.ts';
import type { Liveness } from '../../src/liveness/port.ts';
import type { ProcessorObserver } from '../../src/processor/observers.ts';
import { Processor, type ProcessorOptions } from '../../src/processor/processor.ts';
import type { RequestTask, TaskInput } from '../../src/processor/task.ts';
import type { BatchInput, BatchTask } from '../../src/processor/batch-task.ts';
import type { BatchHandler, Ending, TaskHandler } from '../../src/processor/task-handler.ts';
import {
  NO_BATCH_PROGRESS,
  NO_PROGRESS,
  type BatchProgress,
  type Progress,
} from '../../src/shared/attempt.ts';
import type { Log } from '../../src/shared/log.ts';
import type { RequestKey } from '../../src/shared/request-key.ts';
import type { RequestSpec } from '../../src/shared/wire.ts';
import { startTargetServer, type TargetServer } from '../../src/testing/target-server.ts';
import { memoryFlow } from '../flow/processes.ts';
import { waitFor } from '../support/wait-for.ts';

/** An outsider's handler: it keeps each ending, and accepts it when it is told to. */
export class RecordingHandler implements TaskHandler, BatchHandler {
  readonly batches: BatchTask[] = [];
  /** What batches had their progress recorded as. */
  readonly recorded: BatchProgress[] = [];
  readonly endings: { path: string; ending: Ending; progress: Progress }[] = [];
  /** Tasks between `begin` and `end`. */
  open = 0;
  /** What `finish` waits for. */
  accepts = (): Promise<void> => Promise.resolve();

  /** Accepts no ending until the function it gives is called. */
  hold(): () => void {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    this.accepts = () => released;
    return release;
  }

  begin(): void {
    this.open++;
  }

  end(): void {
    this.open--;
  }

  async markSent(): Promise<void> {}

  async record({ progress }: BatchTask): Promise<void> {
    this.recorded.push(progress);
  }

  async finishBatch(batch: BatchTask): Promise<void> {
    this.batches.push(batch);
    batch.tryClose(batch.attempt);
  }

  async finish(task: RequestTask, ending: Ending): Promise<void> {
    const { pathname } = new URL(task.request.url);
    this.endings.push({ path: pathname, ending, progress: task.progress });
    await this.accepts();
    task.tryClose(task.attempt);
  }

  /** What became of each request, in one word, by path. */
  get kinds(): Record<string, string> {
    return Object.fromEntries(this.endings.map(({ path, ending }) => [path, kindOf(ending)]));
  }
}

/** `200`, `OutcomeUnknownError`, `retry`, `return`, … */
export function kindOf(ending: Ending): string {
  if (ending.kind !== 'outcome') return ending.kind;
  const { outcome } = ending;
  return outcome.kind === 'error' ? outcome.error.type : String(outcome.response.status);
}

export interface Submission extends Partial<Omit<TaskInput, 'request'>> {
  spec?: Partial<RequestSpec>;
  /** Of {@link Harness.place}, when it was reserved long before, as an open poll has done. */
  place?: Promise<void>;
}

export class Harness implements AsyncDisposable {
  readonly handler = new RecordingHandler();
  readonly warnings: [message: string, meta: unknown][] = [];
  readonly target: TargetServer;
  readonly processor: Processor;
  readonly liveness: Liveness;
  readonly #transport: ReturnType<typeof createTransport>;

  constructor(target: TargetServer, options: Partial<ProcessorOptions>) {
    this.target = target;
    this.#transport = createTransport({
      ...resolveOptions({ allowPrivateAddresses: true }),
      secureContext: createSecureContext(),
    });
    this.liveness = options.liveness ?? new MemoryLiveness();
    const silent = (): void => undefined;
    const keep = (message: string, meta?: unknown): void => {
      this.warnings.push([message, meta]);
    };
    const log: Log = { debug: silent, info: silent, warn: keep, error: keep };
    this.processor = new Processor({
      maxConnections: 10,
      maxCrashes: 3,
      transport: this.#transport,
      liveness: this.liveness,
      flow: memoryFlow(),
      handler: this.handler,
      log,
      ...options,
    });
  }

  /** As the gated worker does: a place first, then the request, then the place's release. */
  async submit(path: string, { spec, place, ...input }: Submission = {}): Promise<void> {
    const { admission } = this.processor;
    await (place ?? this.place());
    try {
      await this.processor.submit({
        key: keyOf(randomUUID()),
        attempt: { number: 1, scheduledAt: Date.now(), token: new Uint8Array() },
        progress: NO_PROGRESS,
        heartbeatTimeout: 60_000,
        scheduledAt: Date.now(),
        deadlineAt: undefined,
        ...input,
        request: resolveRequest(
          { url: this.target.url(path), ...spec },
          { requestId: path, defaults: resolveOptions() },
        ),
      });
    } finally {
      admission.release();
    }
  }

  place(): Promise<void> {
    return this.processor.admission.reserve(new AbortController().signal);
  }

  /** Resolves once so many requests have ended. */
  async ended(count: number): Promise<void> {
    await waitFor(() => this.handler.endings.length >= count && this.handler.open === 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.processor.stop({ shutdownTimeout: 0, drainTimeout: 0 });
    await this.#transport.close({ force: true });
    await this.target.close();
  }
}

export async function startHarness(options: Partial<ProcessorOptions> = {}): Promise<Harness> {
  const target = await startTargetServer();
  try {
    const harness = new Harness(target, options);
    await harness.processor.start();
    return harness;
  } catch (error) {
    await target.close();
    throw error;
  }
}

export type BatchRequest = Partial<RequestSpec> & { url: string };

/** As the gated worker does, for a batch of requests to the harness's target. */
export async function submitBatch(
  { processor, target }: Harness,
  specs: (string | BatchRequest)[],
  input: Partial<BatchInput> = {},
): Promise<void> {
  const { admission } = processor;
  await admission.reserve(new AbortController().signal);
  const items = specs.map((spec, index) => {
    const given = typeof spec === 'string' ? { url: spec } : spec;
    const request = resolveRequest(
      { ...given, url: target.url(given.url) },
      { requestId: `item-${index}`, defaults: resolveOptions() },
    );
    return { request, tries: 0, deadlineAt: undefined, sent: false };
  });
  try {
    await processor.submitBatch({
      key: keyOf('batch'),
      attempt: { number: 1, scheduledAt: 1_000, token: new Uint8Array() },
      scheduledAt: 1_000,
      progress: NO_BATCH_PROGRESS,
      heartbeatTimeout: 60_000,
      items,
      line: 'batch',
      skipsUnreadable: false,
      maxBytes: 1_000_000,
      bounded: () => false,
      keep: () => 'all',
      ...input,
    });
  } finally {
    admission.release();
  }
}

export function keyOf(workflowId: string): RequestKey {
  return { namespace: 'default', workflowId, runId: 'run', activityId: '1' };
}

/** An observer that writes down every event, by path where there is one. */
export function recorder(events: string[], prefix = ''): Required<ProcessorObserver> {
  const note = (event: string): void => void events.push(prefix + event);
  const path = (task: { request: { url: string } }): string => new URL(task.request.url).pathname;
  const again = (retryIn?: number): string => (retryIn === undefined ? '' : ' again');
  return {
    start: () => note('start'),
    stop: () => note('stop'),
    capacityReached: () => note('full'),
    requestStart: (task) => note(`start ${path(task)}`),
    requestResponse: (task, { status }, retryIn) =>
      note(`${status} ${path(task)}${again(retryIn)}`),
    requestError: (task, { type }, retryIn) => note(`${type} ${path(task)}${again(retryIn)}`),
    responseReplaced: (task, { type }) => note(`${type} instead ${path(task)}`),
    requestEnd: (task) => note(`end ${path(task)}`),
  };
}
