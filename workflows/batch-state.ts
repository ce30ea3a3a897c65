import type { BatchProgressReport } from '../src/shared/wire-batch.ts';
import type { SupplyState } from './batch-supply.ts';
import type { HeldChunk } from './held-outcomes.ts';

/** What a batch takes into its next run. */
export interface BatchState {
  /** The original run of the first of them: ids of requests and callbacks are made of it. */
  runId: string;
  supply: SupplyState;
  held?: HeldChunk[];
  sinkOffset: number;
  succeeded: number;
  failed: number;
}

export interface BatchRunOptions {
  /** Of the Patient HTTP workers. */
  taskQueue: string;
  /** What the ids of its requests are made of, beside the workflow's id. */
  runId: string;
  state?: BatchState | undefined;
  /** Whether the rest may be left to another run. Default false. */
  continues?: boolean;
}

export function summaryOf(progress: BatchProgressReport): string {
  const { total, succeeded, failed, running, retrying } = progress;
  return (
    `${succeeded + failed} of ${total} requests have ended, ${failed} failed; ` +
    `${running} running, ${retrying} waiting for their next try`
  );
}
