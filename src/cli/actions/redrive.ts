import { BATCH_WORKFLOW } from '../../shared/methods.ts';
import type { BatchSpec } from '../../shared/wire-batch.ts';
import { isServedByCommand } from '../batch/queue.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { UsageError } from '../failure.ts';
import { workflowArguments } from '../history.ts';
import { printJson, wantsJson } from '../output.ts';
import { findRequest } from '../requests.ts';
import { withTemporal, type TemporalClient } from '../temporal-client.ts';

interface Batch {
  id: string;
  workflowId: string;
  runId: string;
}

/** @throws UsageError for one request of it, and for a batch that gets its requests from a command */
async function checkBatch(access: TemporalClient, { id, workflowId, runId }: Batch): Promise<void> {
  if (id !== workflowId) {
    throw new UsageError(
      `${id} is one request of batch ${workflowId}; that id sends all of it once more`,
    );
  }
  const [batch] = await workflowArguments(access, { workflowId, runId });
  const { source } = Object(batch) as Partial<BatchSpec>;
  if (isServedByCommand(source)) {
    throw new UsageError(
      `${id} got its requests from \`patient batch\`: the same command with another --workflow-id ` +
        'sends them once more',
    );
  }
}

/** `patient redrive ID` */
export async function redriveRequest(id: string, flags: { json?: boolean }): Promise<ExitCode> {
  await withTemporal(async (access) => {
    const { workflowId, runId, type } = (await findRequest(access, id)).description;
    if (type === BATCH_WORKFLOW) await checkBatch(access, { id, workflowId, runId });
    const newId = await access.patient.redrive(workflowId, runId);
    if (wantsJson(flags)) printJson({ workflowId: newId });
    else console.log(newId);
  });
  return EXIT.done;
}
