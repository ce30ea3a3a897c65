import { isNewer, type Attempt } from '../shared/attempt.ts';
import { keyString, type RequestKey } from '../shared/request-key.ts';

/** Why a task must stop before its own end. */
export type Interruption =
  /** The workflow asked for it. */
  | 'cancelled'
  /** An operator asked for it: to the workflow it is a failure. */
  | 'revoked'
  /** Temporal no longer has the activity: nobody waits for an outcome. */
  | 'closed'
  /** Another attempt runs it: drain, pause or reset. */
  | 'returned'
  /** All tries together took too long. */
  | 'deadline'
  /** The drain is over, and the request may not be sent again. */
  | 'given-up'
  /** Another process may have sent it meanwhile, and it may not be sent again. */
  | 'sent-elsewhere';

/** What Temporal says in answer to a sign of life. */
export interface Demands {
  cancelRequested: boolean;
  paused: boolean;
  reset: boolean;
}

export interface OwnedTaskInput<P> {
  key: RequestKey;
  attempt: Attempt;
  progress: P;
  /** ms */
  heartbeatTimeout: number;
  /** Epoch ms at which Temporal scheduled the first attempt. */
  scheduledAt: number;
  /** Of the workflow that asked for it; undefined for an activity without one. */
  workflowType?: string | undefined;
  /** The trace that it belongs to: for whoever captured it, and for nobody else. */
  trace?: unknown;
}

const SETTLED = Promise.resolve();

/** What one activity of Temporal's has in this process, from registration to delivery. */
export abstract class OwnedTask<P extends { returns: number } = { returns: number }> {
  readonly id: string;
  readonly key: RequestKey;
  readonly heartbeatTimeout: number;
  readonly scheduledAt: number;
  readonly trace: unknown;
  readonly workflowType: string | undefined;
  readonly acceptedAt = Date.now();
  /** What the next attempt must know, as heartbeats say it. */
  progress: P;
  /** Heartbeats of one task never overlap: the last one sent must be the last one stored. */
  lastHeartbeat: Promise<unknown> = SETTLED;
  /** What it ended with is kept where another process finds it. */
  kept = false;
  /** Nobody has what it ended with: it was given up with this process. */
  lost = false;
  #late: Interruption | undefined;
  #attempt: Attempt;
  #deliveringSince: number | undefined;
  #closed = false;
  #abandoned = false;
  /** Made when first needed: most tasks never pause. */
  #waiters: Set<() => void> | undefined;

  constructor(input: OwnedTaskInput<P>) {
    this.id = keyString(input.key);
    this.key = input.key;
    this.heartbeatTimeout = input.heartbeatTimeout;
    this.scheduledAt = input.scheduledAt;
    this.trace = input.trace;
    this.workflowType = input.workflowType;
    this.progress = input.progress;
    this.#attempt = { ...input.attempt, progress: input.progress };
  }

  /** What log lines call it. */
  abstract get labels(): Record<string, unknown>;

  /** Another process may be running an earlier attempt, and no two may. */
  abstract get exclusive(): boolean;

  /** The first reason wins, and none counts once the ending is decided. */
  abstract interrupt(reason: Interruption): void;

  /** Does what Temporal demands, as far as it can be done without paying twice. */
  abstract obey(demands: Demands): void;

  /** Gives its place to another; a no-op the second time. */
  abstract leavePlace(): void;

  /** The newest attempt known: outcomes are reported with its token. */
  get attempt(): Attempt {
    return this.#attempt;
  }

  /** The ending is decided; only its way to Temporal is left. */
  get delivering(): boolean {
    return this.#deliveringSince !== undefined;
  }

  /** ms since its ending was decided. */
  get deliveringFor(): number {
    return this.#deliveringSince === undefined ? 0 : performance.now() - this.#deliveringSince;
  }

  /** The last reason to stop its delivery, which is what can be stopped once its ending is decided. */
  get late(): Interruption | undefined {
    return this.#late;
  }

  /** The process ends: stop delivering, what is kept elsewhere stays there. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /**
   * Takes over a newer attempt's token while the work goes on.
   * False when this task has already ended: then the attempt needs a task of its own.
   */
  attach(attempt: Attempt): boolean {
    if (this.#closed) return false;
    if (isNewer(attempt, this.#attempt)) {
      const isNext = attempt.number === this.#attempt.number + 1;
      this.#attempt = attempt;
      this.absorb(attempt.progress ?? {}, isNext);
      // The attempt before did not crash; Temporal learns it with the next heartbeat.
      this.progress = { ...this.progress, returns: this.progress.returns + 1 };
      this.wake();
    }
    return true;
  }

  /** Ends the task with `attempt`; false if a newer one attached meanwhile and must end too. */
  tryClose(attempt: Attempt): boolean {
    if (this.#attempt !== attempt) return false;
    this.#closed = true;
    return true;
  }

  startDelivery(): void {
    this.#deliveringSince ??= performance.now();
    this.wake();
  }

  /** Also of an ending that is not decided yet. */
  interruptDelivery(reason: Interruption): void {
    this.#late = reason;
    this.wake();
  }

  abandon(): void {
    this.#abandoned = true;
    this.wake();
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

  /**
   * Merges what Temporal had stored when the new attempt began. `isNext`: no attempt came between
   * this one and the last one held here, so nobody else can have stored it.
   */
  protected abstract absorb(stored: Partial<P>, isNext: boolean): void;

  protected wake(): void {
    for (const waiter of this.#waiters ?? []) waiter();
  }
}
