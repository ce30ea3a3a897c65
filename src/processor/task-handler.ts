import type { Outcome, WireError } from '../shared/wire.ts';
import type { RequestTask } from './task.ts';

/** How a task leaves this process. */
export type Ending =
  /** Final: the workflow gets it. */
  | { kind: 'outcome'; outcome: Outcome }
  /** This try failed; Temporal schedules the next one after `delay` ms. */
  | { kind: 'retry'; delay: number; error: WireError }
  /** Given back untried: another attempt starts as soon as Temporal dispatches it. */
  | { kind: 'return' }
  /** The workflow asked for it; `error` says how far the request had come. */
  | { kind: 'cancelled'; error: WireError }
  /** Nobody waits any more. */
  | { kind: 'dropped' };

/** Takes endings to whoever waits for them. */
export interface TaskHandler {
  /** From now on keep the waiting side informed that the task is alive. */
  begin(task: RequestTask): void;
  /**
   * Records durably that the first byte is about to go out. Rejects if that cannot be recorded,
   * or if the task must not be sent any more (then it has been interrupted).
   */
  markSent(task: RequestTask): Promise<void>;
  /** Delivers the ending, however long it takes; resolves when nothing is left to do. */
  finish(task: RequestTask, ending: Ending): Promise<void>;
  /** The counterpart of `begin`. */
  end(task: RequestTask): void;
}
