import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { TemporalClient } from './temporal-client.ts';

type Payloads = Parameters<typeof decodeArrayFromPayloads>[1];

/** What is in payloads of a workflow, for whoever has the workers' keys and store. */
export function decode(
  { client, namespace }: Pick<TemporalClient, 'client' | 'namespace'>,
  payloads: Payloads,
  workflowId: string,
): Promise<unknown[]> {
  const context = { type: 'workflow', namespace, workflowId } as const;
  return decodeArrayFromPayloads(client.options.loadedDataConverter, payloads, context);
}

/** The arguments that a run was started with. */
export async function workflowArguments(
  access: Pick<TemporalClient, 'client' | 'namespace'>,
  execution: { workflowId: string; runId: string },
): Promise<unknown[]> {
  const { history } = await access.client.workflowService.getWorkflowExecutionHistory({
    namespace: access.namespace,
    execution,
    maximumPageSize: 1,
  });
  const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
  return decode(access, started?.input?.payloads, execution.workflowId);
}
