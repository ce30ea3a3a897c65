import { isNewer, type Attempt, type Progress } from '../shared/attempt.ts';
import type { ResolvedRequest } from '../shared/resolved-request.ts';
import { keyString, type RequestKey } from '../shared/request-key.ts';
import type { Phase } from '../shared/wire.ts';

/** Why a running task must stop before its own end. */
export type Interruption =
  /** The workflow asked for it. */
  | 'cancelled'
  /** Temporal no longer has the activity: nobody waits for an outcome. */
  | 'closed'
  /** Another attempt runs it: drain, pause or reset. */
  | 'returned'
  /** All tries together took too long. */
  | 'deadline'
  /** The drain is over, and the request may not be sent again. */
  | 'given-up';

export interface TaskInput {
  key: RequestKey;
  request: ResolvedRequest;
  attempt: Attempt;
  progress: Progress;
  /** ms */
  heartbeatTimeout: number;
  /** Epoch ms at which Temporal scheduled the first attempt. */
  scheduledAt: number;
  /** Epoch ms at which all tries together end. */
  deadlineAt: number | undefined;
}

/** `delivering`: the ending is decided; only its way to Temporal is left. */
export type TaskPhase = Phase | 'delivering';

const SETTLED = Promise.resolve();

/** One request in this process, from registration to the moment Temporal has its outcome. */
export class RequestTask {
  readonly id: string;
  readonly key: RequestKey;
  readonly request: ResolvedRequest;
  readonly heartbeatTimeout: number;
  readonly scheduledAt: number;
  readonly deadlineAt: number | undefined;
  readonly acceptedAt = Date.now();
  readonly host: string;
  readonly path: string;
  progress: Progress;
  /** Encoded bytes of the response body so far. */
  bytes = 0;
  /** Monotonic ms at which the try started. */
  startedAt: number | undefined;
  /** Epoch ms at which its first byte went out in this process. */
  sentAt: number | undefined;
  /** Heartbeats of one task never overlap: the last one sent must be the last one stored. */
  lastHeartbeat: Promise<unknown> = SETTLED;
  #attempt: Attempt;
  #reached: Phase = 'queued';
  #delivering = false;
  #closed = false;
  #abandoned = false;
  #interruption: Interruption | undefined;
  readonly #abort = new AbortController();
  /** Made when first needed: most tasks never pause. */
  #waiters: Set<() => void> | undefined;
  #leave: (() => void) | undefined;

  constructor(input: TaskInput) {
    this.id = keyString(input.key);
    this.key = input.key;
    this.request = input.request;
    this.heartbeatTimeout = input.heartbeatTimeout;
    this.scheduledAt = input.scheduledAt;
    this.deadlineAt = input.deadlineAt;
    this.progress = input.progress;
    this.#attempt = input.attempt;
    const { host, pathname } = new URL(input.request.url);
    this.host = host;
    this.path = pathname;
  }

  /** The newest attempt known: outcomes are reported with its token. */
  get attempt(): Attempt {
    return this.#attempt;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get interruption(): Interruption | undefined {
    return this.#interruption;
  }

  /** What log lines call it. */
  get labels(): Record<string, unknown> {
    return { requestId: this.request.requestId, workflowId: this.key.workflowId };
  }

  /** Another process may be running an earlier attempt, and no two may. */
  get exclusive(): boolean {
    return !this.request.resendable && this.#attempt.scheduledAt > this.scheduledAt;
  }

  /** How far the request has come. */
  get reached(): Phase {
    return this.#reached;
  }

  get phase(): TaskPhase {
    return this.#delivering ? 'delivering' : this.#reached;
  }

  advance(phase: Phase): void {
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

  /** The process ends: stop delivering, what is kept elsewhere stays there. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /**
   * Takes over a newer attempt's token while the request goes on with its socket.
   * False when this task has already ended: then the attempt needs a task of its own.
   */
  attach(attempt: Attempt): boolean {
    if (this.#closed) return false;
    if (isNewer(attempt, this.#attempt)) {
      this.#attempt = attempt;
      // The attempt before did not crash; Temporal learns it with the next heartbeat.
      this.progress = { ...this.progress, returns: this.progress.returns + 1 };
      this.#wake();
    }
    return true;
  }

  /** Ends the task with `attempt`; false if a newer one attached meanwhile and must end too. */
  tryClose(attempt: Attempt): boolean {
    if (this.#attempt !== attempt) return false;
    this.#closed = true;
    return true;
  }

  /** The first reason wins, and none counts once the ending is decided. */
  interrupt(reason: Interruption): void {
    if (this.#interruption || this.phase === 'delivering') return;
    this.#interruption = reason;
    this.#abort.abort(reason);
    this.#wake();
  }

  /** From now on it has one of the processor's places; `leave` gives the place to another. */
  takePlace(leave: () => void): void {
    this.#leave = leave;
  }

  /** A no-op the second time. */
  leavePlace(): void {
    this.#leave?.();
    this.#leave = undefined;
  }

  /** The ending is decided. */
  startDelivery(): void {
    this.#delivering = true;
    this.#wake();
  }

  abandon(): void {
    this.#abandoned = true;
    this.#wake();
  }

  /** Resolves after `ms`, or as soon as the task is attached, interrupted or changes its course. */
  async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiters?.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      (this.#waiters ??= new Set()).add(done);
    });
  }

  #wake(): void {
    for (const waiter of this.#waiters ?? []) waiter();
  }
}
