import type { Client } from '@temporalio/client';
import type { BatchProgressReport } from './shared/wire-batch.ts';

/** A batch that runs. */
export interface RunningBatch {
  workflowId: string;
  runId: string;
  /** Epoch ms. */
  startedAt: number;
  /** Undefined where no worker has answered in time. */
  progress: BatchProgressReport | undefined;
}

/** ms */
const PATIENCE = 2_000;

/** See `PatientClient.batches`. */
export async function listBatches(
  client: Client,
  taskQueue: string,
  limit: number,
): Promise<RunningBatch[]> {
  const query =
    "WorkflowType = 'patientBatch' AND ExecutionStatus = 'Running' " +
    `AND TaskQueue = ${JSON.stringify(taskQueue)}`;
  const found: Omit<RunningBatch, 'progress'>[] = [];
  for await (const execution of client.workflow.list({ query, pageSize: limit })) {
    const { workflowId, runId, startTime } = execution;
    found.push({ workflowId, runId, startedAt: startTime.getTime() });
    if (found.length === limit) break;
  }
  return Promise.all(
    found.map(async (batch) => ({ ...batch, progress: await progressOf(client, batch) })),
  );
}

async function progressOf(
  client: Client,
  { workflowId, runId }: Omit<RunningBatch, 'progress'>,
): Promise<BatchProgressReport | undefined> {
  const handle = client.workflow.getHandle(workflowId, runId);
  return client
    .withDeadline(Date.now() + PATIENCE, () => handle.query<BatchProgressReport>('progress'))
    .catch(() => undefined);
}
