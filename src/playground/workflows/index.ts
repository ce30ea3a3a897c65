import {
  CancellationScope,
  CancelledFailure,
  proxyActivities,
  workflowInfo,
} from '@temporalio/workflow';
import { patient } from '../../../workflows/index.ts';
import { PLAIN_TRIES, requestIdOf, type Calls, type PlainActivities } from '../shared.ts';

/** A slow server is no reason to give up; the form bounds how slow it is. */
const TIMEOUT = '5m';

/** A busy development server marks calls as started that it has handed to nobody: tried again then. */
const HEARTBEAT_TIMEOUT = '30s';

export async function throughPatient(calls: Calls, taskQueue: string): Promise<void> {
  const { url, since } = calls;
  const { workflowId } = workflowInfo();
  const api = patient.extend({
    ...{ taskQueue, raiseErrorResponses: true },
    ...{ timeout: TIMEOUT, heartbeatTimeout: HEARTBEAT_TIMEOUT },
  });
  await each(calls, (index) => api.get(url, { requestId: requestIdOf(since, workflowId, index) }));
}

const { plainFetch } = proxyActivities<PlainActivities>({
  startToCloseTimeout: TIMEOUT,
  retry: { maximumAttempts: PLAIN_TRIES },
});

export async function throughPlainActivity(calls: Calls): Promise<void> {
  await each(calls, () => plainFetch(calls.url, calls.since));
}

/** All at once; what fails is counted where it fails. */
async function each({ count }: Calls, call: (index: number) => Promise<unknown>): Promise<void> {
  await Promise.allSettled(Array.from({ length: count }, (_, index) => call(index)));
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('Stopped');
}
