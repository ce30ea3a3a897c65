import type { FlowControl } from '../flow/port.ts';
import type { Liveness, Registration, RequestRecord } from '../liveness/port.ts';
import { crashCount } from '../shared/attempt.ts';
import type { Log } from '../shared/log.ts';
import type { Settled } from '../shared/wire.ts';
import { Admission, SINGLES } from './admission.ts';
import { BatchTask, type BatchInput } from './batch-task.ts';
import { endInterrupted, endUnknown } from './ending.ts';
import { Observers, type ProcessorObserver, type TaskView } from './observers.ts';
import { RequestRunner } from './request-runner.ts';
import { summarize } from './summary.ts';
import { RequestTask, type TaskInput } from './task.ts';
import type { BatchHandler, Ending, TaskHandler } from './task-handler.ts';
import type { Transport } from './transport.ts';

export type ProcessorState = 'stopped' | 'starting' | 'running' | 'draining' | 'stopping';

export interface ProcessorOptions {
  maxConnections: number;
  maxCrashes: number;
  transport: Transport;
  liveness: Liveness;
  flow: FlowControl;
  handler: TaskHandler & BatchHandler;
  log: Log;
  observers?: ProcessorObserver[];
}

export interface StopOptions {
  /** ms during which everything in flight may still end by itself. */
  shutdownTimeout: number;
  /** ms after which even what may not be re-sent is given up. */
  drainTimeout: number;
}

type Running = Registration & { answer: 'run' };

/**
 * ms. Whoever fetches requests is cut off at the end of a drain, and what Temporal has just handed
 * out then waits for its heartbeat timeout. On a busy queue the open permits bring something before
 * that, and it is given back.
 */
const QUIET = 5_000;

/** ms for the endings that the end of a drain brings about; each is a call or two to Temporal. */
const LAST_DELIVERY = 5_000;

/** `setTimeout` fires at once above this. */
const MAX_TIMER = 2 ** 31 - 1;

/** Keeps requests in flight and sees each one to its end. Knows neither Temporal nor Redis. */
export class Processor {
  readonly #options: ProcessorOptions;
  readonly #observers: Observers;
  readonly #admission: Admission;
  readonly #runner: RequestRunner;
  /** By id; a newer attempt of one that has ended can take its place. */
  readonly #tasks = new Map<string, RequestTask | BatchTask>();
  #state: ProcessorState = 'stopped';
  #stopped: Promise<number> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: ProcessorOptions) {
    this.#options = options;
    this.#observers = new Observers(options.log);
    for (const observer of options.observers ?? []) this.#observers.add(observer);
    this.#admission = new Admission(options.maxConnections, () => {
      this.#observers.notify('capacityReached');
    });
    const { transport, flow, log } = options;
    const [admission, observers] = [this.#admission, this.#observers];
    this.#runner = new RequestRunner({ transport, admission, flow, observers, log });
  }

  get state(): ProcessorState {
    return this.#state;
  }

  /** Requests on the wire. */
  get inFlight(): number {
    return this.#runner.inFlight;
  }

  /** Requests in this process: waiting, on the wire, or on their way to Temporal. */
  get total(): number {
    return this.#runner.running.size;
  }

  get tasks(): Iterable<TaskView> {
    return this.#runner.running.values();
  }

  /** What operators see of this processor in lists of all processes. */
  get summary(): Record<string, unknown> {
    const { maxConnections } = this.#options;
    const { state, inFlight, total } = this;
    return { state, inFlight, total, maxConnections, hosts: summarize(this.tasks) };
  }

  /** Where whoever submits reserves a permit first, and releases it afterwards. */
  get admission(): Pick<Admission, 'reserve' | 'tryReserve' | 'release'> {
    return this.#admission;
  }

  observe(observer: ProcessorObserver): void {
    this.#observers.add(observer);
    if (this.#state === 'running') this.#observers.tell(observer, 'start');
  }

  /** From `stopped` only; a no-op otherwise. */
  async start(): Promise<void> {
    if (this.#state !== 'stopped') return;
    this.#state = 'starting';
    try {
      await this.#options.liveness.start({
        attached: (id, attempt) => this.#tasks.get(id)?.attach(attempt),
        cancelled: (id) => this.#tasks.get(id)?.interrupt('cancelled'),
        lost: (id) => this.#tasks.get(id)?.interrupt('closed'),
        describe: () => this.summary,
      });
      await this.#options.flow.start();
    } catch (error) {
      await this.#stopStores();
      this.#state = 'stopped';
      throw error;
    }
    this.#state = 'running';
    this.#admission.open();
    this.#observers.notify('start');
  }

  /**
   * Registers the request and starts it on the permit its caller has reserved. When this resolves
   * the attempt is in good hands: it runs here, goes on where it ran before, or is being given back.
   */
  async submit(input: TaskInput): Promise<void> {
    const task = new RequestTask(input);
    const { host, path } = task;
    const registration = await this.#register(task, { method: input.request.method, host, path });
    if (registration?.answer === 'kept') {
      this.#start(task, { kind: 'outcome', outcome: registration.outcome });
    } else if (registration) {
      this.#start(task, this.#refusal(task, registration.cancelRequested));
    }
  }

  /** {@link submit} for many requests in one activity. */
  async submitBatch(input: BatchInput): Promise<void> {
    const { handler, liveness } = this.#options;
    const batch = new BatchTask(input, handler, liveness);
    const items = input.items.length;
    const record = { method: 'BATCH', host: '', path: '', items };
    const registration = await this.#register(batch, record);
    if (registration?.answer === 'run') this.#startBatch(batch, registration);
  }

  /** Undefined when the attempt goes on elsewhere, or is of no account any more. */
  async #register(
    task: RequestTask | BatchTask,
    description: Omit<RequestRecord, 'key' | 'attempt'>,
  ): Promise<(Registration & { answer: 'run' | 'kept' }) | undefined> {
    const { liveness } = this.#options;
    const { key, attempt } = task;
    const record = { key, attempt, ...description };
    // A false heartbeat timeout or a reset: the request goes on, also while draining.
    if (this.#tasks.get(task.id)?.attach(attempt)) {
      await liveness.register(record, task.exclusive);
      return undefined;
    }
    // In the map before it is registered: an attach or a cancel can arrive with the answer.
    this.#tasks.set(task.id, task);
    const registration = await liveness.register(record, task.exclusive).catch((error: unknown) => {
      this.#forget(task);
      throw error;
    });
    if (registration.answer === 'run' || registration.answer === 'kept') return registration;
    this.#forget(task);
    return undefined;
  }

  /** Takes nothing new; what is in flight goes on. From `running` only; a no-op otherwise. */
  drain(): void {
    if (this.#state !== 'running') return;
    this.#state = 'draining';
    this.#admission.close();
  }

  /**
   * Drains, hands over and stops; resolves with the number of requests whose outcome is lost: not
   * delivered in `drainTimeout`, or unknown because they were given up. From `running` or `draining`; otherwise waits for the stop that
   * is under way, if any.
   */
  async stop(options: StopOptions): Promise<number> {
    this.drain();
    if (this.#state === 'draining') {
      this.#state = 'stopping';
      this.#stopped = this.#stop(options);
    }
    return (await this.#stopped) ?? 0;
  }

  async #stop({ shutdownTimeout, drainTimeout }: StopOptions): Promise<number> {
    const { running } = this.#runner;
    for (const task of running) {
      if (task.phase === 'queued') task.interrupt('returned');
    }
    await this.#idle(shutdownTimeout);
    for (const task of running) {
      if (task.request.resendable || task.phase !== 'sent') task.interrupt('returned');
    }
    await this.#idle(drainTimeout - shutdownTimeout);
    await this.#admission.quiet(QUIET, Math.min(drainTimeout, 2 * QUIET));
    const lost = new Set<RequestTask>();
    for (const task of running) {
      if (task.phase === 'sent' && !task.interruption) lost.add(task);
      task.interrupt('given-up');
    }
    await this.#idle(LAST_DELIVERY);
    for (const task of this.#tasks.values()) {
      for (const request of task instanceof BatchTask ? task.requests : [task]) lost.add(request);
      task.abandon();
    }
    // Also one whose place in the map a newer attempt has taken.
    for (const task of running) task.abandon();
    this.#tasks.clear();

    await this.#stopStores();
    this.#state = 'stopped';
    this.#observers.notify('stop');
    return lost.size;
  }

  async #stopStores(): Promise<void> {
    const { flow, liveness, log } = this.#options;
    for (const store of [flow, liveness]) {
      await store.stop().catch((error: unknown) => {
        log.warn('A store did not stop', { error });
      });
    }
  }

  /** Resolves when no task is left, or after `ms`. */
  async #idle(ms: number): Promise<void> {
    if (this.#tasks.size === 0 || ms <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms, MAX_TIMER));
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onIdle = undefined;
  }

  /** What a registered request ends with instead of being run here. */
  #refusal(
    task: RequestTask,
    cancelRequested: boolean,
    crashes = crashCount(task.attempt, task.progress),
  ): Ending | undefined {
    const { progress, request } = task;
    const lost = progress.sent && !request.resendable;
    if (cancelRequested) return endInterrupted(task, 'cancelled', lost ? 'sent' : 'queued');
    if (lost) return endUnknown(task, 'the process that sent it did not see its end');
    if (crashes > this.#options.maxCrashes) {
      return endUnknown(task, `${crashes} processes ended while they ran it`);
    }
    return this.#state === 'running' ? undefined : { kind: 'return' };
  }

  #start(task: RequestTask, decided: Ending | undefined): void {
    const { handler, liveness, log } = this.#options;
    this.#admission.arrive();
    this.#runner
      .run(task, handler, SINGLES, decided)
      .then(() => this.#forget(task))
      .catch(async (error: unknown) => {
        log.error('A request is left to its heartbeat timeout', { error, ...task.labels });
        this.#forget(task);
        // Unregistered and without heartbeats, the next attempt counts this one as a crash.
        await liveness.release(task.key, task.attempt);
      })
      .catch((error: unknown) => {
        log.error('A request could not be unregistered', { error, ...task.labels });
      });
  }

  #startBatch(batch: BatchTask, { cancelRequested, settled = [] }: Running): void {
    const { handler, liveness, log } = this.#options;
    this.#admission.arrive();
    this.#runBatch(batch, cancelRequested, settled)
      .then(() => handler.finishBatch(batch))
      .finally(() => {
        handler.end(batch);
        this.#forget(batch);
      })
      .catch(async (error: unknown) => {
        log.error('A batch is left to its heartbeat timeout', { error, ...batch.labels });
        await liveness.release(batch.key, batch.attempt);
      })
      .catch((error: unknown) => {
        log.error('A batch could not be unregistered', { error, ...batch.labels });
      });
  }

  async #runBatch(
    batch: BatchTask,
    cancelRequested: boolean,
    settled: (Settled | undefined)[],
  ): Promise<void> {
    this.#options.handler.begin(batch);
    const crashes = crashCount(batch.attempt, batch.progress);
    const runItem = async (item: BatchTask['items'][number], position: number): Promise<void> => {
      const known = settled[position];
      if (!(item instanceof RequestTask))
        return batch.end(position, { kind: 'error', error: item });
      if (known) return batch.end(position, known);
      const decided = this.#refusal(item, cancelRequested, crashes);
      return this.#runner.run(item, batch.itemHandler, batch.line, decided);
    };
    const ended = await Promise.allSettled(batch.items.map(runItem));
    const defect = ended.find(({ status }) => status === 'rejected');
    if (defect) throw (defect as PromiseRejectedResult).reason;
    batch.startDelivery();
  }

  #forget(task: RequestTask | BatchTask): void {
    if (this.#tasks.get(task.id) === task) this.#tasks.delete(task.id);
    if (this.#tasks.size === 0) this.#onIdle?.();
  }
}
