import { randomUUID } from 'node:crypto';
import type { Client, WorkflowHandle } from '@temporalio/client';

/** Resets a workflow to its n-th workflow task; gives the new run's id. */
export async function reset(client: Client, handle: WorkflowHandle, task: number): Promise<string> {
  const { events } = await handle.fetchHistory();
  const tasks = events!.filter((event) => event.workflowTaskCompletedEventAttributes);
  const { runId } = await client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: handle.workflowId },
    workflowTaskFinishEventId: tasks[task]!.eventId!,
    requestId: randomUUID(),
    reason: 'test',
  });
  return runId;
}
