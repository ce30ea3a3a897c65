import type { Liveness } from '../liveness/port.ts';
import { crashCount } from '../shared/attempt.ts';
import type { Log } from '../shared/log.ts';
import { Admission } from './admission.ts';
import {
  asRequestError,
  endInterrupted,
  endUnknown,
  endWithError,
  endWithResponse,
  toWireResponse,
} from './ending.ts';
import { Observers, type ProcessorObserver, type TaskView } from './observers.ts';
import { summarize } from './summary.ts';
import { RequestTask, type TaskInput } from './task.ts';
import type { Ending, TaskHandler } from './task-handler.ts';
import type { Transport } from './transport.ts';

export type ProcessorState = 'stopped' | 'starting' | 'running' | 'draining' | 'stopping';

export interface ProcessorOptions {
  maxConnections: number;
  maxCrashes: number;
  transport: Transport;
  liveness: Liveness;
  handler: TaskHandler;
  log: Log;
  observers?: ProcessorObserver[];
}

export interface StopOptions {
  /** ms during which everything in flight may still end by itself. */
  shutdownTimeout: number;
  /** ms after which even what may not be re-sent is given up. */
  drainTimeout: number;
}

/** ms for the endings that the end of a drain brings about; each is a call or two to Temporal. */
const LAST_DELIVERY = 5_000;

/** `setTimeout` fires at once above this. */
const MAX_TIMER = 2 ** 31 - 1;

/** Keeps requests in flight and sees each one to its end. Knows neither Temporal nor Redis. */
export class Processor {
  readonly #options: ProcessorOptions;
  readonly #observers: Observers;
  readonly #admission: Admission;
  readonly #tasks = new Map<string, RequestTask>();
  readonly #running = new Set<RequestTask>();
  #state: ProcessorState = 'stopped';
  #inFlight = 0;
  #stopped: Promise<number> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: ProcessorOptions) {
    this.#options = options;
    this.#observers = new Observers(options.log);
    for (const observer of options.observers ?? []) this.#observers.add(observer);
    this.#admission = new Admission(options.maxConnections, () => {
      this.#observers.notify('capacityReached');
    });
  }

  get state(): ProcessorState {
    return this.#state;
  }

  /** Requests on the wire. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests in this process: waiting, on the wire, or on their way to Temporal. */
  get total(): number {
    return this.#tasks.size;
  }

  get tasks(): Iterable<TaskView> {
    return this.#tasks.values();
  }

  /** What operators see of this processor in lists of all processes. */
  get summary(): Record<string, unknown> {
    const { maxConnections } = this.#options;
    const { state, inFlight, total } = this;
    return { state, inFlight, total, maxConnections, hosts: summarize(this.#tasks.values()) };
  }

  /** Where whoever submits reserves a place first, and releases it afterwards. */
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
    } catch (error) {
      this.#state = 'stopped';
      throw error;
    }
    this.#state = 'running';
    this.#admission.open();
    this.#observers.notify('start');
  }

  /**
   * Registers the request and starts it in the place its caller has reserved. When this resolves
   * the attempt is in good hands: it runs here, goes on where it ran before, or is being given back.
   */
  async submit(input: TaskInput): Promise<void> {
    const { liveness } = this.#options;
    const { key, attempt, request } = input;
    const task = new RequestTask(input);
    const { host, path } = task;
    const record = { key, attempt, method: request.method, host, path };

    // A false heartbeat timeout or a reset: the request goes on, also while draining.
    if (this.#tasks.get(task.id)?.attach(attempt)) {
      await liveness.register(record, task.exclusive);
      return;
    }
    // In the map before it is registered: an attach or a cancel can arrive with the answer.
    this.#tasks.set(task.id, task);
    const registration = await liveness.register(record, task.exclusive).catch((error: unknown) => {
      this.#forget(task);
      throw error;
    });
    switch (registration.answer) {
      case 'run':
        this.#start(task, this.#refusal(task, registration.cancelRequested));
        return;
      case 'kept':
        this.#start(task, { kind: 'outcome', outcome: registration.outcome });
        return;
      case 'attached':
      case 'stale':
        this.#forget(task);
        return;
      default: {
        const never: never = registration;
        return never;
      }
    }
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
    for (const task of this.#tasks.values()) {
      if (task.phase === 'queued') task.interrupt('returned');
    }
    await this.#idle(shutdownTimeout);
    for (const task of this.#tasks.values()) {
      if (task.request.resendable || task.phase !== 'sent') task.interrupt('returned');
    }
    await this.#idle(drainTimeout - shutdownTimeout);
    const lost = new Set<RequestTask>();
    for (const task of this.#tasks.values()) {
      if (task.phase === 'sent' && !task.interruption) lost.add(task);
      task.interrupt('given-up');
    }
    await this.#idle(LAST_DELIVERY);
    for (const task of this.#tasks.values()) lost.add(task);
    // Also one whose place in the map a newer attempt has taken.
    for (const task of this.#running) task.abandon();
    this.#tasks.clear();

    await this.#options.liveness.stop().catch((error: unknown) => {
      this.#options.log.warn('The liveness store did not stop', { error });
    });
    this.#state = 'stopped';
    this.#observers.notify('stop');
    return lost.size;
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
  #refusal(task: RequestTask, cancelRequested: boolean): Ending | undefined {
    const { progress, request } = task;
    const lost = progress.sent && !request.resendable;
    if (cancelRequested) return endInterrupted(task, 'cancelled', lost ? 'sent' : 'queued');
    if (lost) return endUnknown(task, 'the process that sent it did not see its end');
    const crashes = crashCount(task.attempt, progress);
    if (crashes > this.#options.maxCrashes) {
      return endUnknown(task, `${crashes} processes ended while they ran it`);
    }
    return this.#state === 'running' ? undefined : { kind: 'return' };
  }

  #start(task: RequestTask, decided: Ending | undefined): void {
    const { liveness, log } = this.#options;
    this.#run(task, decided)
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

  async #run(task: RequestTask, decided: Ending | undefined): Promise<void> {
    const { handler, log } = this.#options;
    // The place is kept until the outcome is delivered: while Temporal takes none, no more arrive,
    // and what is kept stays within maxConnections.
    this.#admission.takeOver();
    task.takePlace(() => this.#admission.leave());
    this.#running.add(task);
    handler.begin(task);
    try {
      await this.#conclude(task, decided).catch((error: unknown) => {
        log.error('A request ended by a defect', { error, ...task.labels });
        task.startDelivery();
        return handler.finish(task, endInterrupted(task, 'given-up', task.reached));
      });
      this.#forget(task);
    } finally {
      handler.end(task);
      this.#running.delete(task);
      task.leavePlace();
    }
  }

  async #conclude(task: RequestTask, decided: Ending | undefined): Promise<void> {
    if (decided) this.#tell(task, decided);
    const ending = decided ?? (await this.#attempt(task));
    task.startDelivery();
    await this.#options.handler.finish(task, ending);
  }

  /** One try, under the deadline of all of them. */
  async #attempt(task: RequestTask): Promise<Ending> {
    const deadline = this.#armDeadline(task);
    try {
      task.signal.throwIfAborted();
      return await this.#send(task);
    } catch (error) {
      if (!task.interruption) throw error;
      const ending = endInterrupted(task, task.interruption, task.reached);
      this.#tell(task, ending);
      return ending;
    } finally {
      clearTimeout(deadline);
    }
  }

  async #send(task: RequestTask): Promise<Ending> {
    const { transport, handler } = this.#options;
    task.advance('connect');
    task.startedAt = performance.now();
    this.#inFlight++;
    this.#observers.notify('requestStart', task);
    try {
      const received = await transport.send(task.request, {
        signal: task.signal,
        ...(task.request.resendable ? {} : { beforeFirstByte: () => handler.markSent(task) }),
        onSent: () => task.advance('sent'),
        onBytes: (count) => {
          task.bytes += count;
        },
      });
      const response = toWireResponse(task, received);
      const ending = endWithResponse(task, response, received.advice);
      this.#observers.notify('requestResponse', task, response, retryIn(ending));
      return ending;
    } catch (error) {
      if (task.interruption) throw error;
      const failure = asRequestError(error);
      const ending = endWithError(task, failure);
      this.#observers.notify('requestError', task, failure, retryIn(ending));
      return ending;
    } finally {
      this.#inFlight--;
      this.#observers.notify('requestEnd', task);
    }
  }

  /** Tells of an ending that no try told of. */
  #tell(task: RequestTask, ending: Ending): void {
    if (ending.kind === 'cancelled') {
      this.#observers.notify('requestError', task, ending.error);
    } else if (ending.kind === 'outcome') {
      const { outcome } = ending;
      if (outcome.kind === 'error') this.#observers.notify('requestError', task, outcome.error);
      else this.#observers.notify('requestResponse', task, outcome.response);
    }
  }

  #armDeadline(task: RequestTask): NodeJS.Timeout | undefined {
    if (task.deadlineAt === undefined) return undefined;
    const left = task.deadlineAt - Date.now();
    if (left <= 0) {
      task.interrupt('deadline');
      return undefined;
    }
    return setTimeout(() => task.interrupt('deadline'), Math.min(left, MAX_TIMER));
  }

  #forget(task: RequestTask): void {
    if (this.#tasks.get(task.id) === task) this.#tasks.delete(task.id);
    if (this.#tasks.size === 0) this.#onIdle?.();
  }
}

function retryIn(ending: Ending): number | undefined {
  return ending.kind === 'retry' ? ending.delay : undefined;
}
