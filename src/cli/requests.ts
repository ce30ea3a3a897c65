import { WorkflowNotFoundError, type WorkflowExecutionDescription } from '@temporalio/client';
import type { FailureRecord, Fleet, FleetRequest, KeptOutcome } from '../fleet/port.ts';
import { describeFailure, NotFoundError, UsageError } from './failure.ts';
import { withFleet } from './fleet.ts';
import { say } from './output.ts';
import type { TemporalClient } from './temporal-client.ts';

/** What the processes know of a workflow's requests; all empty without Redis. */
export interface LiveView {
  inFlight: FleetRequest[];
  kept: KeptOutcome[];
  failures: FailureRecord[];
}

/** What an id names. */
export interface Found {
  description: WorkflowExecutionDescription;
  /** Of the requests that the id names: all of a workflow, or one. */
  live: LiveView;
}

/** Rows asked for; a batch can have more in flight. */
const ROWS = 1_000;

/**
 * A request by the id of its workflow, or by its request id: a workflow's id and run, a batch's with
 * the item's index, or a label that only the processes know.
 *
 * @throws UsageError, NotFoundError
 */
export async function findRequest(access: TemporalClient, id: string): Promise<Found> {
  if (id === '') throw new UsageError('id: expected a workflow id or a request id, got ""');
  const asWorkflow = await describe(access, id);
  if (asWorkflow) {
    const live = await look(access, id, ({ key }) => key.workflowId === id);
    return { description: asWorkflow, live };
  }
  const live = await look(access, id, (each) => 'requestId' in each && each.requestId === id);
  const [, workflowId, runId] = /^(.+)\/([\da-f-]{36})(?:\/\d+)?$/.exec(id) ?? [];
  const key = [...live.inFlight, ...live.failures][0]?.key;
  const description = key
    ? await describe(access, key.workflowId, key.runId)
    : workflowId && (await describe(access, workflowId, runId));
  if (description) return { description, live };
  throw new NotFoundError(
    `no workflow and no request in flight has the id ${JSON.stringify(id)} (namespace ` +
      `${access.namespace}, queue ${access.options.taskQueue})`,
  );
}

/** Of a run that another one continues it is that one: a batch's ids name its first. */
async function describe(
  access: TemporalClient,
  workflowId: string,
  runId?: string,
): Promise<WorkflowExecutionDescription | undefined> {
  try {
    const found = await access.client.workflow.getHandle(workflowId, runId).describe();
    const goesOn = runId !== undefined && found.status.name === 'CONTINUED_AS_NEW';
    return goesOn ? await describe(access, workflowId) : found;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

type Known = FleetRequest | FailureRecord | KeptOutcome;

async function look(
  { options }: TemporalClient,
  text: string,
  fits: (each: Known) => boolean,
): Promise<LiveView> {
  const nothing: LiveView = { inFlight: [], kept: [], failures: [] };
  if (options.redisUrl === undefined) return nothing;
  const ask = async (fleet: Fleet): Promise<LiveView> => {
    const [page, kept, failures] = await Promise.all([
      fleet.requests({ text, limit: ROWS }),
      fleet.keptOutcomes(ROWS),
      fleet.failures(ROWS),
    ]);
    return {
      inFlight: page.rows.filter(fits),
      kept: kept.filter(fits),
      failures: failures.filter(fits),
    };
  };
  try {
    return await withFleet('show', ask);
  } catch (error) {
    say(`without what the processes know: ${describeFailure(error)}`);
    return nothing;
  }
}
