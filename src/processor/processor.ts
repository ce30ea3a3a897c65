import type { FlowControl } from '../flow/port.ts';
import type { CancelledBy, Liveness, Registration, RequestRecord } from '../liveness/port.ts';
import { crashCount } from '../shared/attempt.ts';
import type { Log } from '../shared/log.ts';
import { keyString, type RequestKey } from '../shared/request-key.ts';
import { Admission, SINGLES } from './admission.ts';
import { BatchRunner } from './batch-runner.ts';
import { BatchTask, type BatchInput } from './batch-task.ts';
import { drainTasks, type StopOptions } from './drain.ts';
import { endInterrupted, endUnknown } from './ending.ts';
import { Observers, type ProcessorObserver, type TaskView } from './observers.ts';
import type { Interruption } from './owned-task.ts';
import { RequestRunner } from './request-runner.ts';
import { drainOutlook, summarize, waitingByKey, type ProcessorSummary } from './summary.ts';
import { RequestTask, type TaskInput } from './task.ts';
import type { BatchHandler, Ending, TaskHandler } from './task-handler.ts';
import { Tasks, type EndedItems, type Task } from './tasks.ts';
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
  /** Lives while the processor and its stores do. */
  attendant?: Attendant;
}

/** Begins once the stores have, and ends before them. */
export interface Attendant {
  start(): Promise<void>;
  stop(): Promise<void>;
}

const CANCELS: Record<CancelledBy, Interruption> = { workflow: 'cancelled', operator: 'revoked' };

type Running = Registration & { answer: 'run' };

/** Keeps requests in flight and sees each one to its end. Knows neither Temporal nor Redis. */
export class Processor {
  readonly #options: ProcessorOptions;
  readonly #observers: Observers;
  readonly #admission: Admission;
  readonly #runner: RequestRunner;
  readonly #batches: BatchRunner;
  readonly #tasks = new Tasks();
  #state: ProcessorState = 'stopped';
  #stopped: Promise<number> | undefined;

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
    this.#batches = new BatchRunner({
      ...{ runner: this.#runner, admission, tasks: this.#tasks },
      maxConnections: options.maxConnections,
      refusal: (...item) => this.#refusal(...item),
    });
  }

  get state(): ProcessorState {
    return this.#state;
  }

  /** Requests on the wire. */
  get inFlight(): number {
    return this.#runner.inFlight;
  }

  /** Places taken, of `maxConnections`: a single request keeps its own until Temporal has its outcome. */
  get taken(): number {
    return this.#admission.taken;
  }

  /** Requests in this process: waiting, on the wire, or on their way to Temporal. */
  get total(): number {
    return this.#runner.running.size + this.endedItems.count;
  }

  /** Without the items of batches that have ended. */
  get tasks(): Iterable<TaskView> {
    return this.#runner.running.values();
  }

  get endedItems(): EndedItems {
    return this.#tasks.ended;
  }

  /** Outcomes that neither Temporal nor another process would have if this one were gone. */
  get unkept(): number {
    let { unkept } = this.endedItems;
    for (const { phase, kept } of this.#runner.running) {
      if (phase === 'delivering' && !kept) unkept++;
    }
    return unkept;
  }

  get summary(): ProcessorSummary {
    const { state, inFlight, taken, total } = this;
    return {
      ...{ state, inFlight, taken, total, maxConnections: this.#options.maxConnections },
      hosts: summarize(this.tasks),
      drain: drainOutlook(this.tasks, this.endedItems),
      waiting: waitingByKey(this.tasks),
    };
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
        cancelled: (id, by) => void this.#cancel(id, by),
        lost: (id) => this.#tasks.get(id)?.interrupt('closed'),
        returned: (replayed) => this.#tasks.settleAgain(replayed),
        describe: () => ({ ...this.summary }),
      });
      await this.#options.flow.start();
      await this.#options.attendant?.start();
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
      this.#start(task, { kind: 'outcome', outcome: registration.outcome }, true);
    } else if (registration) {
      this.#start(task, this.#refusal(task, registration.cancelRequested));
    }
  }

  /** {@link submit} for many requests in one activity. */
  async submitBatch(input: BatchInput): Promise<void> {
    const { handler, liveness } = this.#options;
    const batch = new BatchTask(input, handler, liveness);
    const record = {
      ...{ method: 'BATCH', host: '', path: '' },
      ...{ items: input.items.length, skipsUnreadable: input.skipsUnreadable },
    };
    const registration = await this.#register(batch, record);
    if (registration?.answer === 'run') this.#startBatch(batch, registration);
  }

  /** Undefined when the attempt goes on elsewhere, or is of no account any more. */
  async #register(
    task: Task,
    description: Omit<RequestRecord, 'key' | 'attempt'>,
  ): Promise<(Registration & { answer: 'run' | 'kept' }) | undefined> {
    const { liveness } = this.#options;
    const { key, attempt } = task;
    const record = { key, attempt, ...description };
    // A false heartbeat timeout or a reset: the request goes on, also while draining.
    if (this.#tasks.get(task.id)?.attach(attempt)) {
      // What items have ended with is here, and need not be read.
      await liveness.register({ ...record, items: 0 }, task.exclusive);
      return undefined;
    }
    // In the map before it is registered: an attach or a cancel can arrive with the answer.
    this.#tasks.add(task);
    const registration = await liveness.register(record, task.exclusive).catch((error: unknown) => {
      this.#tasks.delete(task);
      throw error;
    });
    if (registration.answer === 'run' || registration.answer === 'kept') return registration;
    this.#tasks.delete(task);
    return undefined;
  }

  /** An operator's cancel, of a request, a batch or an item of one; false for what is not here. */
  cancel(key: RequestKey): boolean {
    return this.#cancel(keyString(key), 'operator');
  }

  /** Takes nothing new; what is in flight goes on. From `running` only; a no-op otherwise. */
  drain(): void {
    if (this.#state !== 'running') return;
    this.#state = 'draining';
    this.#admission.close();
  }

  /**
   * Drains, hands over and stops; resolves with the number of requests whose outcome is lost: not
   * delivered in `drainTimeout`, or unknown because they were given up. From `running` or `draining`;
   * otherwise waits for the stop that is under way, if any.
   */
  async stop(options: StopOptions): Promise<number> {
    this.drain();
    if (this.#state === 'draining') {
      this.#state = 'stopping';
      this.#stopped = this.#stop(options);
    }
    return (await this.#stopped) ?? 0;
  }

  async #stop(options: StopOptions): Promise<number> {
    const lost = await drainTasks(this.#tasks, this.#runner.running, this.#admission, options);
    await this.#stopStores();
    this.#state = 'stopped';
    this.#observers.notify('stop');
    return lost;
  }

  async #stopStores(): Promise<void> {
    const { attendant, flow, liveness, log } = this.#options;
    for (const store of [attendant, flow, liveness]) {
      await store?.stop().catch((error: unknown) => {
        log.warn('A store did not stop', { error });
      });
    }
  }

  /** What a registered request ends with instead of being run here. */
  #refusal(
    task: RequestTask,
    cancelRequested: CancelledBy | false,
    crashes = crashCount(task.attempt, task.progress),
  ): Ending | undefined {
    const { progress, request } = task;
    const lost = progress.sent && !request.resendable;
    if (cancelRequested) {
      return endInterrupted(task, CANCELS[cancelRequested], lost ? 'sent' : 'queued');
    }
    if (lost) return endUnknown(task, 'the process that sent it did not see its end');
    if (crashes > this.#options.maxCrashes) {
      return endUnknown(task, `${crashes} processes ended while they ran it`);
    }
    return this.#state === 'running' ? undefined : { kind: 'return' };
  }

  #start(task: RequestTask, decided: Ending | undefined, isTold = false): void {
    const { handler, liveness, log } = this.#options;
    this.#admission.arrive();
    this.#runner
      .run(task, handler, SINGLES, decided, isTold)
      .then(() => this.#tasks.delete(task))
      .catch(async (error: unknown) => {
        log.error('A request is left to its heartbeat timeout', { error, ...task.labels });
        this.#tasks.delete(task);
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
    handler.begin(batch);
    this.#batches
      .run(batch, cancelRequested, settled)
      .then(() => handler.finishBatch(batch))
      .then(() => this.#tellDelivered(batch))
      .finally(() => {
        handler.end(batch);
        this.#tasks.delete(batch);
      })
      .catch(async (error: unknown) => {
        log.error('A batch is left to its heartbeat timeout', { error, ...batch.labels });
        await liveness.leave(batch.key, batch.attempt);
      })
      .catch((error: unknown) => {
        log.error('A batch could not be unregistered', { error, ...batch.labels });
      });
  }

  #tellDelivered({ items, reports }: BatchTask): void {
    for (const [position, item] of items.entries()) {
      if (!(item instanceof RequestTask)) continue;
      this.#observers.tellDelivered(item, reports[position]!.ending.kind);
    }
  }

  #cancel(id: string, by: CancelledBy): boolean {
    const task = this.#tasks.find(id);
    task?.interrupt(CANCELS[by]);
    return task !== undefined;
  }
}
