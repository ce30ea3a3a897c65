import type { FlowControl, Later, Permit, Seen } from '../flow/port.ts';
import type { Admission, Line } from './admission.ts';
import {
  asRequestError,
  endInterrupted,
  endWithError,
  endWithResponse,
  toWireResponse,
} from './ending.ts';
import { flowKeyOf } from '../shared/flow-limits.ts';
import { wireResponse } from '../shared/held-response.ts';
import type { Log } from '../shared/log.ts';
import type { Observers } from './observers.ts';
import { DISPATCH } from './retry-policy.ts';
import type { RequestTask } from './task.ts';
import type { Ending, TaskHandler } from './task-handler.ts';
import type { SendHooks, Transport, TransportResponse } from './transport.ts';
import { MAX_TIMER } from '../shared/constants.ts';

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

  /**
   * `decided`: what the request ends with instead of being sent. `isTold`: by the process that saw it.
   * Rejects for defects only.
   */
  async run(
    task: RequestTask,
    handler: TaskHandler,
    line: Line,
    decided: Ending | undefined,
    isTold = false,
  ): Promise<void> {
    this.#running.add(task);
    handler.begin(task);
    let ending = decided;
    try {
      if (ending && !isTold) this.#tell(task, ending);
      ending ??= await this.#attempt(task, handler, line);
      task.startDelivery();
      if (ending.kind === 'outcome') task.outcomeSince = Date.now();
      await handler.finish(task, ending);
    } catch (error) {
      this.#options.log.error('A request ended by a defect', { error, ...task.labels });
      task.startDelivery();
      await handler.finish(task, endInterrupted(task, 'given-up', task.reached));
    } finally {
      const seen = ending?.kind === 'outcome' ? ending.outcome.kind : ending?.kind;
      this.#options.observers.tellDelivered(task, seen);
      handler.end(task);
      this.#running.delete(task);
      // Only now: while Temporal takes no outcome no more requests arrive, and what is kept stays
      // within maxConnections.
      task.leavePlace();
    }
  }

  /** One try, under the deadline of all of them. */
  async #attempt(task: RequestTask, handler: TaskHandler, line: Line): Promise<Ending> {
    const { admission, flow, transport } = this.#options;
    const deadline = armDeadline(task);
    let permit: Permit | undefined;
    try {
      task.signal.throwIfAborted();
      // Before its place: those that wait for a key keep no place from others.
      let turn = flow.acquire(task.host, task.request.flow, task.signal);
      for (;;) {
        if (turn) permit = goOn(task, await waiting(task, turn));
        if (admission.tryEnter()) break;
        await admission.enter(line, task.signal);
        // Where nothing limited it, a pause or a limit may have been set meanwhile.
        turn = permit ? undefined : flow.acquire(task.host, task.request.flow, task.signal);
        if (!turn) break;
        admission.giveBack();
      }
      task.takePlace(() => admission.leave(task.elapsed));
      this.#begin(task);
      // One function for all of it: thousands wait here, and each one more would hold its promises.
      try {
        const received = await transport.send(task.request, hooks(task, handler, permit));
        return this.#respond(task, permit, received);
      } catch (error) {
        return this.#fail(task, permit, error);
      } finally {
        this.#end(task);
      }
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

  #begin(task: RequestTask): void {
    task.advance('connect');
    task.startedAt = performance.now();
    this.#inFlight++;
    this.#options.observers.notify('requestStart', task);
  }

  #end(task: RequestTask): void {
    this.#inFlight--;
    this.#options.observers.notify('requestEnd', task);
  }

  #respond(task: RequestTask, permit: Permit | undefined, received: TransportResponse): Ending {
    permit?.release(seenIn(task, received));
    const response = toWireResponse(task, received);
    const ending = endWithResponse(task, response, received.advice);
    const { observers } = this.#options;
    observers.notify('requestResponse', task, wireResponse(response), retryIn(ending));
    return ending;
  }

  #fail(task: RequestTask, permit: Permit | undefined, error: unknown): Ending {
    if (task.interruption) throw error;
    const failure = asRequestError(error);
    // Temporal did not answer in time, which is no fault of the target's and costs no try.
    if (task.atMark && failure.type === 'TimeoutError') return { kind: 'return' };
    permit?.release(failure.transient ? 'failed' : 'nothing');
    const ending = endWithError(task, failure);
    this.#options.observers.notify('requestError', task, failure, retryIn(ending));
    return ending;
  }

  /** Tells of an ending that no try told of. */
  #tell(task: RequestTask, ending: Ending): void {
    const told = ending.kind === 'outcome' ? ending.outcome : ending;
    if (told.kind === 'error' || told.kind === 'cancelled') {
      this.#options.observers.notify('requestError', task, told.error);
    }
  }
}

/** `beforeFirstByte`: what must be so before the first byte goes out, if anything. */
function hooks(task: RequestTask, handler: TaskHandler, permit: Permit | undefined): SendHooks {
  const mark = !task.request.resendable;
  return {
    task,
    signal: task.signal,
    onSent: () => task.advance('sent'),
    onBytes: (count) => {
      task.bytes += count;
    },
    ...((mark || permit) && {
      async beforeFirstByte() {
        if (mark) {
          task.atMark = true;
          await handler.markSent(task);
          task.atMark = false;
        }
        // Last: Temporal may have let it wait, and then its time has passed.
        const turn = permit?.ready(task.signal);
        const later = turn && (await waiting(task, turn));
        if (later) goOn(task, later);
      },
    }),
  };
}

/** So that operators see what it waits for. */
async function waiting<T>(task: RequestTask, turn: Promise<T>): Promise<T> {
  task.waitingFor = flowKeyOf(task.host, task.request.flow);
  try {
    return await turn;
  } finally {
    task.waitingFor = undefined;
  }
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
