import type { Outcome } from '../shared/outcome.ts';
import type { WireError } from '../shared/wire.ts';
import type { BatchTask } from './batch-task.ts';
import type { RequestTask } from './task.ts';

/** How a task leaves this process. */
export type Ending =
  /** Final: the workflow gets it. */
  | { kind: 'outcome'; outcome: Outcome }
  /** This try failed; Temporal schedules the next one after `delay` ms. */
  | { kind: 'retry'; delay: number; error: WireError }
  /** Given back untried: another attempt starts in `delay` ms, or as soon as Temporal dispatches it. */
  | { kind: 'return'; delay?: number }
  /** The workflow asked for it; `error` says how far the request had come. */
  | { kind: 'cancelled'; error: WireError }
  /** Nobody waits any more. */
  | { kind: 'dropped' };

/** Takes the results of batches to whoever waits for them. */
export interface BatchHandler {
  /** As for a single request. */
  begin(batch: BatchTask): void;
  /** Stores the batch's progress durably. Rejects, or interrupts the batch, if that cannot be. */
  record(batch: BatchTask): Promise<void>;
  /** Delivers what the items ended with; resolves when nothing is left to do. */
  finishBatch(batch: BatchTask): Promise<void>;
  end(batch: BatchTask): void;
}

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
