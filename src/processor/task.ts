import type { Progress } from '../shared/attempt.ts';
import type { HandsOn } from '../shared/activities.ts';
import type { TASK_PHASES } from '../shared/constants.ts';
import type { ResolvedRequest } from '../shared/resolved-request.ts';
import type { Phase } from '../shared/wire.ts';
import type { ObservedError } from './observers.ts';
import { OwnedTask, type Demands, type Interruption, type OwnedTaskInput } from './owned-task.ts';

export interface TaskInput extends OwnedTaskInput<Progress> {
  request: ResolvedRequest;
  /** Epoch ms at which all tries together end. */
  deadlineAt: number | undefined;
  handsOn?: HandsOn | undefined;
}

/**
 * `queued`, `connect`, `sent`, or `delivering`: the ending is decided; only its way to Temporal is
 * left.
 */
export type TaskPhase = (typeof TASK_PHASES)[number];

/** One request in this process, from registration to the moment Temporal has its outcome. */
export class RequestTask extends OwnedTask<Progress> {
  readonly request: ResolvedRequest;
  readonly deadlineAt: number | undefined;
  readonly handsOn: HandsOn | undefined;
  readonly host: string;
  readonly path: string;
  /** Encoded bytes of the response body so far. */
  bytes = 0;
  /** Monotonic ms at which the try started. */
  startedAt: number | undefined;
  /** Epoch ms at which its first byte went out in this process. */
  sentAt: number | undefined;
  /** ms after which the next attempt may start, when this one is given back. */
  delay: number | undefined;
  /** The flow key whose leave it waits for. */
  waitingFor: string | undefined;
  /** Epoch ms since which it has an outcome for Temporal. */
  outcomeSince: number | undefined;
  /** The error that its workflow was given, if it was. */
  deliveredError: ObservedError | undefined;
  /** Waits for the word that its first byte may go out. */
  atMark = false;
  #reached: Exclude<TaskPhase, 'delivering'> = 'queued';
  #interruption: Interruption | undefined;
  readonly #abort = new AbortController();
  #leave: (() => void) | undefined;
  #sentElsewhere = false;

  constructor(input: TaskInput) {
    super(input);
    this.request = input.request;
    this.deadlineAt = input.deadlineAt;
    this.handsOn = input.handsOn;
    const { host, pathname } = new URL(input.request.url);
    this.host = host;
    this.path = pathname;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get interruption(): Interruption | undefined {
    return this.#interruption;
  }

  get labels(): Record<string, unknown> {
    return { requestId: this.request.requestId, workflowId: this.key.workflowId };
  }

  get exclusive(): boolean {
    return !this.request.resendable && this.attempt.scheduledAt > this.scheduledAt;
  }

  /** How far the request has come. */
  get reached(): Phase {
    return this.#reached;
  }

  get phase(): TaskPhase {
    return this.delivering ? 'delivering' : this.#reached;
  }

  advance(phase: 'connect' | 'sent'): void {
    this.#reached = phase;
    if (phase === 'sent') this.sentAt = Date.now();
  }

  /** Number of the current try, from 1. */
  get tryNumber(): number {
    return this.progress.tries + 1;
  }

  /** ms the current try has taken; 0 before it started. */
  get elapsed(): number {
    return this.startedAt === undefined ? 0 : performance.now() - this.startedAt;
  }

  interrupt(reason: Interruption): void {
    if (this.delivering) return this.interruptDelivery(reason);
    if (this.#interruption) return;
    this.#interruption = reason;
    this.#abort.abort(reason);
    this.wake();
  }

  obey({ cancelRequested, paused, reset }: Demands): void {
    const onTheWire = this.phase === 'sent';
    // What has ended has nothing left to pause or to begin anew.
    if (this.delivering && !cancelRequested) return;
    if (cancelRequested) this.interrupt('cancelled');
    else if (reset && (this.request.resendable || !onTheWire)) this.interrupt('returned');
    else if (paused && this.phase === 'queued') this.interrupt('returned');
  }

  protected absorb({ sent = false, tries = 0, returns = 0 }: Partial<Progress>, isNext: boolean) {
    const isOwnMark = isNext && this.progress.sent;
    this.progress = {
      // Never taken back: not every mark is one of this process's.
      sent: this.progress.sent || sent,
      tries: Math.max(this.progress.tries, tries),
      returns: Math.max(this.progress.returns, returns),
    };
    if (!sent || isOwnMark || this.request.resendable || this.#reached === 'sent') return;
    this.#sentElsewhere = true;
    this.interrupt('sent-elsewhere');
  }

  /** A process that had an attempt in between may have sent it, and it may not be sent again. */
  get sentElsewhere(): boolean {
    return this.#sentElsewhere;
  }

  /** From now on it has one of the processor's places; `leave` gives the place to another. */
  takePlace(leave: () => void): void {
    this.#leave = leave;
  }

  leavePlace(): void {
    const leave = this.#leave;
    this.#leave = undefined;
    leave?.();
  }
}
