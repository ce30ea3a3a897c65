import type { BatchSpec } from '../../shared/wire-batch.ts';

const PREFIX = 'patient-batch:';

/** The queue through which a batch's workflow and its `patient batch` talk. */
export function queueOf(workflowId: string): string {
  return PREFIX + workflowId;
}

/** Whether a `patient batch` gives the requests. */
export function isServedByCommand(source: BatchSpec['source']): boolean {
  return source !== undefined && 'taskQueue' in source && source.taskQueue.startsWith(PREFIX);
}
