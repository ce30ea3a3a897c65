import type { Liveness } from '../liveness/port.ts';
import type { BatchProgress } from '../shared/attempt.ts';
import type { ResolvedRequest } from '../shared/resolved-request.ts';
import type { KeepMode, Outcome, Settled, WireError } from '../shared/wire.ts';
import type { Line } from './admission.ts';
import { OwnedTask, type Demands, type Interruption, type OwnedTaskInput } from './owned-task.ts';
import { RequestTask } from './task.ts';
import type { BatchHandler, Ending, TaskHandler } from './task-handler.ts';

export interface BatchItem {
  request: ResolvedRequest;
  /** Tries that earlier rounds have made. */
  tries: number;
  deadlineAt: number | undefined;
}

export interface BatchInput extends OwnedTaskInput<BatchProgress> {
  /** In order; one that is wrong is what is wrong with it. */
  items: (BatchItem | WireError)[];
  /** The batch that this is a part of. */
  line: Line;
  /** Most bytes of JSON that the results may take. */
  maxBytes: number;
  /** How much of a response is reported, by position. */
  keep: (position: number) => KeepMode;
}

/** How an item's part in this activity ended; `returned` untried, for `delay` ms. */
export type ItemEnding = Settled | { kind: 'returned'; delay: number };

export interface ItemReport {
  ending: ItemEnding;
  /** Tries before this one. */
  tries: number;
  keep: KeepMode;
}

const RETURNED: ItemEnding = { kind: 'returned', delay: 0 };

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
  readonly items: readonly (RequestTask | WireError)[];
  readonly #endings: ItemEnding[];
  readonly #handler: BatchHandler;
  readonly #liveness: Liveness;
  /** Items below may be sent. */
  #authorised: number;
  #authorising: Promise<void> | undefined;
  #done = 0;
  #isClosed = false;
  /** What its items are handed to instead of Temporal. */
  readonly itemHandler: TaskHandler = {
    begin: () => undefined,
    markSent: (task) => this.#markSent(task),
    finish: (task, ending) => this.#finish(task, ending),
    end: () => undefined,
  };

  constructor(input: BatchInput, handler: BatchHandler, liveness: Liveness) {
    super(input);
    this.line = input.line;
    this.maxBytes = input.maxBytes;
    this.#keep = input.keep;
    this.#handler = handler;
    this.#liveness = liveness;
    this.#authorised = input.progress.next;
    this.#endings = input.items.map(() => RETURNED);
    this.items = input.items.map((item, index) => {
      if (!('request' in item)) return item;
      const { request, tries, deadlineAt } = item;
      const sent = index < input.progress.next && !request.resendable;
      return new RequestTask({
        ...{ request, deadlineAt, progress: { sent, tries, returns: 0 } },
        key: { ...input.key, index },
        attempt: input.attempt,
        heartbeatTimeout: input.heartbeatTimeout,
        scheduledAt: input.scheduledAt,
      });
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

  get requests(): RequestTask[] {
    return this.items.filter((item) => item instanceof RequestTask);
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
    }));
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
    this.#endings[position] = ending;
    this.#done++;
  }

  interrupt(reason: Interruption): void {
    this.#isClosed ||= reason === 'closed';
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
    const settled = settledOf(ending);
    if (settled) await this.#liveness.settle(task.key, settled);
    const delay = ending.kind === 'return' ? (ending.delay ?? 0) : 0;
    this.end(task.key.index!, settled ?? { kind: 'returned', delay });
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
