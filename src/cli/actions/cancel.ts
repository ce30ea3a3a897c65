import { setTimeout as delay } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { BATCH_WORKFLOW, isReadyMade } from '../../shared/methods.ts';
import type { RequestKey } from '../../shared/request-key.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { NotFoundError, UsageError } from '../failure.ts';
import { withFleet } from '../fleet.ts';
import { printJson, say, wantsJson } from '../output.ts';
import { findRequest, type Found } from '../requests.ts';
import { withTemporal } from '../temporal-client.ts';

/** ms for which the end is waited for. */
const PATIENCE = 10_000;
const PAUSE = 100;

/** `patient cancel ID` */
export async function cancel(id: string, flags: { json?: boolean }): Promise<ExitCode> {
  const status = await withTemporal(async (access) => {
    const found = await findRequest(access, id);
    const { workflowId, runId, type, status: now } = found.description;
    // A workflow that is the request, by whichever of its ids; of a batch only by its own.
    if (isReadyMade(type) && (workflowId === id || type !== BATCH_WORKFLOW)) {
      if (now.name !== 'RUNNING') throw new NotFoundError(`${id} has ended: ${now.name}`);
      const handle = access.client.workflow.getHandle(workflowId, runId);
      await handle.cancel();
      return await end(handle);
    }
    const answer = await withFleet('cancel', (fleet) => fleet.cancel(keyOf(found, id)));
    if (answer === 'flagged') {
      say(
        `no process hears of it now: ${id} ends when its process is back, or with its next attempt`,
      );
    }
    return 'CANCEL_REQUESTED';
  });
  if (wantsJson(flags)) printJson({ id, status });
  else if (status === 'CANCELLED') console.log(`${id} is cancelled`);
  else console.log(`${id}: asked for; ${status === 'RUNNING' ? 'it still runs' : status}`);
  return EXIT.done;
}

/** The one request that an id names, when it is not all of a workflow of ours. */
function keyOf({ description, live }: Found, id: string): RequestKey {
  const { workflowId, type } = description;
  if (workflowId === id) {
    const ids = live.inFlight.map(({ requestId }) => requestId);
    throw new UsageError(
      `${id} is a workflow of type ${type}, not a request; name one of its requests in flight: ` +
        (ids.join(', ') || 'there is none'),
    );
  }
  const request = live.inFlight.find(({ requestId }) => requestId === id);
  if (!request) throw new NotFoundError(`${id} is not in flight`);
  return request.key;
}

async function end(handle: WorkflowHandle): Promise<string> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const { status } = await handle.describe();
    if (status.name !== 'RUNNING' || Date.now() > deadline) return status.name;
    await delay(PAUSE);
  }
}
