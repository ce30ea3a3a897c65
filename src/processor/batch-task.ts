import type { Liveness } from '../liveness/port.ts';
import type { BatchProgress } from '../shared/attempt.ts';
import { statusOnly } from '../shared/batch.ts';
import type { ResolvedRequest } from '../shared/resolved-request.ts';
import type { Outcome, Settled } from '../shared/outcome.ts';
import type { WireError } from '../shared/wire.ts';
import type { KeepMode } from '../shared/wire-batch.ts';
import type { Line } from './admission.ts';
import type { ObservedError } from './observers.ts';
import { OwnedTask, type Demands, type Interruption, type OwnedTaskInput } from './owned-task.ts';
import { RequestTask } from './task.ts';
import type { BatchHandler, Ending, TaskHandler } from './task-handler.ts';

export interface BatchItem {
  request: ResolvedRequest;
  /** Tries that earlier rounds have made. */
  tries: number;
  deadlineAt: number | undefined;
  /** An earlier round has sent it, and its outcome is lost. */
  sent: boolean;
}

export interface BatchInput extends OwnedTaskInput<BatchProgress> {
  /** In order; one that is wrong is what is wrong with it. */
  items: (BatchItem | WireError)[];
  /** The batch that this is a part of. */
  line: Line;
  /** No process could read for long what some ended with: they end so, and the rest goes on. */
  skipsUnreadable: boolean;
  /** Most bytes of JSON that the results may take. */
  maxBytes: number;
  /** How much of a response is reported, by position. */
  keep: (position: number) => KeepMode;
  /** Whose responses are to be within `maxBytes` before a payload store makes them small. */
  bounded: (position: number) => boolean;
}

/** How an item's part in this activity ended; `returned` untried, for `delay` ms. */
export type ItemEnding = Settled | { kind: 'returned'; delay: number };

export interface ItemReport {
  ending: ItemEnding;
  /** Tries before this one. */
  tries: number;
  keep: KeepMode;
  bounded: boolean;
}

const RETURNED: ItemEnding = { kind: 'returned', delay: 0 };

/** Items that are settled again at once: if the store takes none of them, it is not asked for the others. */
const AGAIN = 100;

/** Requests that may not be re-sent are authorised in blocks of this many. */
const BLOCK = 100;

/**
 * Many requests in one activity. Each item is a request of its own, with its own place, try and
 * ending; to Temporal they are one, which ends when all of them have.
 */
export class BatchTask extends OwnedTask<BatchProgress> {
  readonly line: Line;
  readonly maxBytes: number;
  readonly #keep: BatchInput['keep'];
  readonly #bounded: BatchInput['bounded'];
  readonly items: readonly (RequestTask | WireError)[];
  readonly #endings: ItemEnding[];
  /** Monotonic ms. */
  readonly #endedAt: number[] = [];
  readonly #handler: BatchHandler;
  readonly #liveness: Liveness;
  /** Items below may be sent. */
  #authorised: number;
  #authorising: Promise<void> | undefined;
  /** Positions of items that have ended, and whose outcomes are nowhere but here. */
  readonly #unsettled = new Set<number>();
  #settlingAgain = false;
  #settlesAgain = false;
  #done = 0;
  #ended = 0;
  #isClosed = false;
  /** What its items are handed to instead of Temporal. */
  readonly itemHandler: TaskHandler = {
    begin: () => undefined,
    markSent: (task) => this.#markSent(task),
    finish: (task, ending) => this.#finish(task, ending),
    end: (task) => this.#countEnded(task.key.index!),
  };

  constructor(input: BatchInput, handler: BatchHandler, liveness: Liveness) {
    super(input);
    this.line = input.line;
    this.maxBytes = input.maxBytes;
    this.#keep = input.keep;
    this.#bounded = input.bounded;
    this.#handler = handler;
    this.#liveness = liveness;
    this.#authorised = input.progress.next;
    // Until an outcome of an item is not.
    this.kept = true;
    this.#endings = input.items.map(() => RETURNED);
    const { attempt, heartbeatTimeout, scheduledAt } = input;
    const { namespace, workflowId, runId, activityId } = input.key;
    this.items = input.items.map((item, index) => {
      if (!('request' in item)) return item;
      const { request, tries, deadlineAt } = item;
      const sent = (item.sent || index < input.progress.next) && !request.resendable;
      const progress = { sent, tries, returns: 0 };
      const key = { namespace, workflowId, runId, activityId, index };
      const times = { attempt, heartbeatTimeout, scheduledAt };
      const { trace, workflowType } = input;
      const origin = { trace, workflowType };
      return new RequestTask({ key, request, deadlineAt, progress, ...origin, ...times });
    });
  }

  get labels(): Record<string, unknown> {
    return { workflowId: this.key.workflowId, items: this.items.length };
  }

  get exclusive(): boolean {
    return (
      this.attempt.scheduledAt > this.scheduledAt &&
      this.items.some((item) => item instanceof RequestTask && !item.request.resendable)
    );
  }

  /** Items whose outcomes wait here for those of the others, or for their delivery. */
  get ended(): number {
    return this.#ended;
  }

  /** Outcomes of items that are nowhere but here. */
  get unkept(): number {
    return this.#unsettled.size;
  }

  get requests(): RequestTask[] {
    return this.items.filter((item) => item instanceof RequestTask);
  }

  /** Epoch ms after which none of its items is waited for; Infinity where one has no deadline. */
  get deadlineAt(): number {
    const { requests } = this;
    if (requests.length === 0) return Infinity;
    return Math.max(...requests.map(({ deadlineAt = Infinity }) => deadlineAt));
  }

  /** Nobody waits for the results. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** One for each item, in order. */
  get reports(): ItemReport[] {
    return this.items.map((item, position) => ({
      ending: this.#endings[position]!,
      tries: item instanceof RequestTask ? item.progress.tries : 0,
      keep: this.#keep(position),
      bounded: this.#bounded(position),
    }));
  }

  /**
   * ms after which another attempt may start, when nothing of it has ended and nothing can have been
   * sent: then it goes back as it came.
   */
  get returnsIn(): number | undefined {
    if (this.progress.next > 0) return undefined;
    const delays = this.#endings.map((each) => (each.kind === 'returned' ? each.delay : NaN));
    const first = Math.min(...delays);
    return Number.isFinite(first) ? first : undefined;
  }

  protected absorb({ next = 0, returns = 0 }: Partial<BatchProgress>): void {
    const { next: own } = this.progress;
    this.progress = {
      ...this.progress,
      next: Math.max(own, next),
      returns: Math.max(this.progress.returns, returns),
    };
    for (const request of this.requests) {
      const isOthers = request.key.index! >= own && request.key.index! < next;
      if (isOthers && !request.request.resendable) request.interrupt('sent-elsewhere');
    }
  }

  end(position: number, ending: ItemEnding): void {
    // What is not reported takes no room until then, here or in the store.
    const isShort = ending.kind === 'response' && this.#keep(position) !== 'all';
    this.#endings[position] = isShort
      ? { ...ending, response: statusOnly(ending.response) }
      : ending;
    this.#endedAt[position] = performance.now();
    this.#done++;
  }

  /** What is to be tried again after a while has waited for the others meanwhile. */
  override startDelivery(): void {
    for (const [position, ending] of this.#endings.entries()) {
      if (!('delay' in ending)) continue;
      const waited = performance.now() - (this.#endedAt[position] ?? -Infinity);
      const delay = Math.max(0, Math.ceil(ending.delay - waited));
      this.#endings[position] = { ...ending, delay };
    }
    super.startDelivery();
  }

  /** One that an earlier attempt has settled. */
  endSettled(position: number, ending: ItemEnding): void {
    const item = this.items[position]!;
    if ('request' in item) item.kept = true;
    this.end(position, ending);
    this.#countEnded(position);
  }

  /** Once the store is back: what it has not taken, or all if it `isLost` there. */
  async settleAgain(isLost: boolean): Promise<void> {
    for (const [position, { kind }] of this.#endings.entries()) {
      if (isLost && kind !== 'returned') this.#unsettled.add(position);
    }
    // Whoever is at it begins again.
    this.#settlesAgain = true;
    if (this.#settlingAgain) return;
    this.#settlingAgain = true;
    while (this.#settlesAgain) {
      this.#settlesAgain = false;
      const left = [...this.#unsettled];
      for (let isTaken = true; isTaken && left.length > 0;) {
        const some = left.splice(0, AGAIN);
        await Promise.all(some.map((position) => this.#settle(position)));
        isTaken = some.some((position) => !this.#unsettled.has(position));
      }
    }
    this.#settlingAgain = false;
  }

  /** Its workflow was given the results; `errorOf`: of the item at a position, if it is an error. */
  delivered(errorOf: (position: number) => ObservedError | undefined): void {
    for (const request of this.requests) request.deliveredError = errorOf(request.key.index!);
  }

  interrupt(reason: Interruption): void {
    this.#isClosed ||= reason === 'closed';
    if (this.delivering) return this.interruptDelivery(reason);
    for (const request of this.requests) request.interrupt(reason);
  }

  /** What waits to be authorised goes back, and its places to others. */
  returnUnsent(): void {
    for (const task of this.requests) {
      if (!task.request.resendable && task.phase !== 'sent') task.interrupt('returned');
    }
  }

  /** A pause or a reset lets it go on: it ends by itself, and its retries are another activity. */
  obey({ cancelRequested }: Demands): void {
    if (cancelRequested) this.interrupt('cancelled');
  }

  /** Its items have theirs. */
  leavePlace(): void {}

  async #markSent(task: RequestTask): Promise<void> {
    while (task.key.index! >= this.#authorised && !task.interruption) {
      await (this.#authorising ??= this.#authorise(task.key.index!).finally(() => {
        this.#authorising = undefined;
      }));
    }
  }

  /** One heartbeat for a block: before it, no byte of any of its requests goes out. */
  async #authorise(position: number): Promise<void> {
    const next = Math.min(this.items.length, (Math.floor(position / BLOCK) + 1) * BLOCK);
    this.progress = { ...this.progress, next, done: this.#done };
    await this.#handler.record(this);
    this.#authorised = next;
  }

  async #finish(task: RequestTask, ending: Ending): Promise<void> {
    // Its outcome waits for those of the others, as long as they take: it keeps no place from them.
    task.leavePlace();
    const settled = settledOf(ending);
    const position = task.key.index!;
    const delay = ending.kind === 'return' ? (ending.delay ?? 0) : 0;
    this.end(position, settled ?? { kind: 'returned', delay });
    if (settled) await this.#settle(position);
  }

  #countEnded(position: number): void {
    if (this.#endings[position]!.kind !== 'returned') this.#ended++;
  }

  async #settle(index: number): Promise<void> {
    const settled = this.#endings[index] as Settled;
    const item = this.items[index]!;
    const isKept = await this.#liveness.settle({ ...this.key, index }, settled);
    if ('request' in item) item.kept = isKept;
    if (isKept) this.#unsettled.delete(index);
    else this.#unsettled.add(index);
    this.kept = this.#unsettled.size === 0;
  }
}

function settledOf(ending: Ending): Settled | undefined {
  switch (ending.kind) {
    case 'outcome':
      return ending.outcome;
    case 'cancelled':
      return { kind: 'error', error: ending.error } satisfies Outcome;
    case 'retry':
      return { kind: 'retry', delay: ending.delay, error: ending.error };
    case 'return':
    case 'dropped':
      return undefined;
    default: {
      const never: never = ending;
      return never;
    }
  }
}
