import type { FlowControl, Later, Permit, Seen } from '../flow/port.ts';
import type { Admission, Line } from './admission.ts';
import {
  asRequestError,
  endInterrupted,
  endWithError,
  endWithResponse,
  toWireResponse,
} from './ending.ts';
import type { Log } from '../shared/log.ts';
import type { Observers } from './observers.ts';
import { DISPATCH } from './retry-policy.ts';
import type { RequestTask } from './task.ts';
import type { Ending, TaskHandler } from './task-handler.ts';
import type { Transport, TransportResponse } from './transport.ts';

/** `setTimeout` fires at once above this. */
const MAX_TIMER = 2 ** 31 - 1;

export interface RequestRunnerOptions {
  transport: Transport;
  admission: Admission;
  flow: FlowControl;
  observers: Observers;
  log: Log;
}

/** Sees requests through one try each: leave of its flow key, place, wire, ending, and the ending's way to the handler. */
export class RequestRunner {
  readonly #options: RequestRunnerOptions;
  readonly #running = new Set<RequestTask>();
  #inFlight = 0;

  constructor(options: RequestRunnerOptions) {
    this.#options = options;
  }

  /** Requests on the wire. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests waiting for their flow key or a place, on the wire, or on their way to the handler. */
  get running(): ReadonlySet<RequestTask> {
    return this.#running;
  }

  /** `decided`: what the request ends with instead of being sent. Rejects for defects only. */
  async run(
    task: RequestTask,
    handler: TaskHandler,
    line: Line,
    decided: Ending | undefined,
  ): Promise<void> {
    this.#running.add(task);
    handler.begin(task);
    try {
      await this.#conclude(task, handler, line, decided).catch((error: unknown) => {
        this.#options.log.error('A request ended by a defect', { error, ...task.labels });
        task.startDelivery();
        return handler.finish(task, endInterrupted(task, 'given-up', task.reached));
      });
    } finally {
      handler.end(task);
      this.#running.delete(task);
      // Only now: while Temporal takes no outcome no more requests arrive, and what is kept stays
      // within maxConnections.
      task.leavePlace();
    }
  }

  async #conclude(
    task: RequestTask,
    handler: TaskHandler,
    line: Line,
    decided: Ending | undefined,
  ): Promise<void> {
    if (decided) this.#tell(task, decided);
    const ending = decided ?? (await this.#attempt(task, handler, line));
    task.startDelivery();
    await handler.finish(task, ending);
  }

  /** One try, under the deadline of all of them. */
  async #attempt(task: RequestTask, handler: TaskHandler, line: Line): Promise<Ending> {
    const { admission, flow } = this.#options;
    const deadline = armDeadline(task);
    let permit: Permit | undefined;
    try {
      task.signal.throwIfAborted();
      // Before its place: those that wait for a key keep no place from others.
      const turn = flow.acquire(task.host, task.request.flow, task.signal);
      if (turn) permit = goOn(task, await turn);
      if (!admission.tryEnter()) await admission.enter(line, task.signal);
      task.takePlace(() => admission.leave());
      return await this.#send(task, handler, permit);
    } catch (error) {
      if (!task.interruption) throw error;
      const ending = endInterrupted(task, task.interruption, task.reached);
      this.#tell(task, ending);
      return ending;
    } finally {
      permit?.release('nothing');
      clearTimeout(deadline);
    }
  }

  async #send(
    task: RequestTask,
    handler: TaskHandler,
    permit: Permit | undefined,
  ): Promise<Ending> {
    const { transport, observers } = this.#options;
    task.advance('connect');
    task.startedAt = performance.now();
    this.#inFlight++;
    observers.notify('requestStart', task);
    try {
      const received = await transport.send(task.request, {
        signal: task.signal,
        ...gate(task, handler, permit),
        onSent: () => task.advance('sent'),
        onBytes: (count) => {
          task.bytes += count;
        },
      });
      permit?.release(seenIn(task, received));
      const response = toWireResponse(task, received);
      const ending = endWithResponse(task, response, received.advice);
      observers.notify('requestResponse', task, response, retryIn(ending));
      return ending;
    } catch (error) {
      if (task.interruption) throw error;
      const failure = asRequestError(error);
      // Temporal did not answer in time, which is no fault of the target's and costs no try.
      if (task.atMark && failure.type === 'TimeoutError') return { kind: 'return' };
      permit?.release(failure.transient ? 'failed' : 'nothing');
      const ending = endWithError(task, failure);
      observers.notify('requestError', task, failure, retryIn(ending));
      return ending;
    } finally {
      this.#inFlight--;
      observers.notify('requestEnd', task);
    }
  }

  /** Tells of an ending that no try told of. */
  #tell(task: RequestTask, ending: Ending): void {
    const { observers } = this.#options;
    if (ending.kind === 'cancelled') {
      observers.notify('requestError', task, ending.error);
    } else if (ending.kind === 'outcome') {
      const { outcome } = ending;
      if (outcome.kind === 'error') observers.notify('requestError', task, outcome.error);
      else observers.notify('requestResponse', task, outcome.response);
    }
  }
}

/** What must be so before the first byte goes out, if anything. */
function gate(
  task: RequestTask,
  handler: TaskHandler,
  permit: Permit | undefined,
): { beforeFirstByte?: () => Promise<void> } {
  const mark = !task.request.resendable;
  if (!mark && !permit) return {};
  return {
    async beforeFirstByte() {
      if (mark) {
        task.atMark = true;
        await handler.markSent(task);
        task.atMark = false;
      }
      // Last: Temporal may have let it wait, and then its time has passed.
      const later = await permit?.ready(task.signal);
      if (later) goOn(task, later);
    },
  };
}

/** The permit; or the request goes back to Temporal for as long as it has to wait. */
function goOn(task: RequestTask, turn: Permit | Later): Permit {
  if (!('later' in turn)) return turn;
  const left = (task.deadlineAt ?? Infinity) - Date.now() - DISPATCH;
  task.delay = Math.min(turn.later, left);
  // Temporal would end it without asking us again.
  task.interrupt(left > 0 ? 'returned' : 'deadline');
  throw task.signal.reason;
}

/** What the key learns from a response. */
function seenIn({ request }: RequestTask, { advice, ...response }: TransportResponse): Seen {
  const retryAfter = advice.retryAfter && Math.min(advice.retryAfter, request.retry.maxRetryAfter);
  return { ...response, retryAfter };
}

function armDeadline(task: RequestTask): NodeJS.Timeout | undefined {
  if (task.deadlineAt === undefined) return undefined;
  const left = task.deadlineAt - Date.now();
  if (left <= 0) {
    task.interrupt('deadline');
    return undefined;
  }
  return setTimeout(() => task.interrupt('deadline'), Math.min(left, MAX_TIMER));
}

function retryIn(ending: Ending): number | undefined {
  return ending.kind === 'retry' ? ending.delay : undefined;
}
