import { randomUUID } from 'node:crypto';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { looseSpec } from './shared/loose-spec.ts';
import { BATCH_WORKFLOW, isReadyMade } from './shared/methods.ts';

/** What a redrive adds to a workflow id; a redrive of a redrive adds it once. */
const SUFFIX = /:redrive:[\da-f]{8}$/;

/** See `PatientClient.redrive`. */
export async function redrive(client: Client, workflowId: string, runId?: string): Promise<string> {
  const { type, runId: newest } = await closed(client, workflowId, runId);
  if (!isReadyMade(type)) {
    throw new Error(
      `redrive: ${workflowId} is of type ${type}, no ready-made workflow of Patient HTTP; ` +
        'start it again by its own means',
    );
  }
  const { input, taskQueue } = await beginning(client, workflowId, newest);
  const newId = `${workflowId.replace(SUFFIX, '')}:redrive:${randomUUID().slice(0, 8)}`;
  const args = [type === BATCH_WORKFLOW ? newBatch(input) : newRequest(input)];
  await client.workflow.start(type, { workflowId: newId, taskQueue, args });
  return newId;
}

/** The newest run of the chain that was asked for, which nothing works at any more. */
async function closed(
  client: Client,
  workflowId: string,
  runId: string | undefined,
): Promise<WorkflowExecutionDescription> {
  let described: WorkflowExecutionDescription;
  try {
    described = await client.workflow.getHandle(workflowId, runId).describe();
  } catch (error) {
    if ((error as Error).name !== 'WorkflowNotFoundError') throw error;
    const which = runId === undefined ? workflowId : `${workflowId}, run ${runId},`;
    throw new Error(`redrive: ${which} is not there: it never was, or its retention has passed`, {
      cause: error,
    });
  }
  if (described.status.name === 'CONTINUED_AS_NEW') return closed(client, workflowId, undefined);
  if (described.closeTime === undefined) {
    throw new Error(`redrive: ${workflowId} still runs: cancel it first, or wait for its end`);
  }
  return described;
}

/** What the first run began with: later ones of a batch have only what was left. */
async function beginning(
  client: Client,
  workflowId: string,
  runId: string,
): Promise<{ input: unknown; taskQueue: string }> {
  const { namespace, loadedDataConverter } = client.options;
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const started = history!.events![0]!.workflowExecutionStartedEventAttributes!;
  const { continuedExecutionRunId, firstExecutionRunId } = started;
  if (continuedExecutionRunId) return beginning(client, workflowId, firstExecutionRunId!);
  const context = { type: 'workflow', namespace, workflowId } as const;
  const payloads = started.input?.payloads;
  const [input] = await decodeArrayFromPayloads(loadedDataConverter, payloads, context);
  return { input, taskQueue: started.taskQueue!.name! };
}

function newBatch(input: unknown): unknown {
  const batch = looseSpec(input) as { requests?: unknown; defaults?: unknown };
  const { requests, defaults } = batch;
  return {
    ...batch,
    ...(defaults !== undefined && { defaults: newRequest(defaults) }),
    ...(Array.isArray(requests) && { requests: requests.map(newRequest) }),
  };
}

/** One that its target has not seen, unless it is told to by an idempotency key of the caller's. */
function newRequest(spec: unknown): unknown {
  if (typeof spec !== 'object' || spec === null) return spec;
  const { requestId: _, ...rest } = spec as { requestId?: unknown };
  return rest;
}
