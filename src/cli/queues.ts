import { requestsQueue } from '../shared/constants.ts';
import { say } from './output.ts';
import type { TemporalClient } from './temporal-client.ts';

/** Of Temporal's enum TaskQueueType. */
export const WORKFLOW = 1;
const ACTIVITY = 2;

/** ms: a poll takes a minute, and a poller is listed for five. */
const RECENT = 75_000;

export interface QueueState {
  queue: string;
  /** Processes that polled lately. */
  pollers: string[];
  /** ms since the last poll; undefined when nobody polled for minutes. */
  lastPoll: number | undefined;
  /** Tasks that wait, as Temporal estimates. */
  backlog: number;
}

/** The queue of the workflows and the one of the requests: a request needs workers on both. */
export async function describeQueues(
  access: TemporalClient,
): Promise<[workflows: QueueState, requests: QueueState]> {
  const { taskQueue } = access.options;
  return Promise.all([
    describeQueue(access, taskQueue, WORKFLOW),
    describeQueue(access, requestsQueue(taskQueue), ACTIVITY),
  ]);
}

async function describeQueue(
  { client, namespace }: TemporalClient,
  queue: string,
  taskQueueType: typeof WORKFLOW | typeof ACTIVITY,
): Promise<QueueState> {
  const request = { namespace, taskQueue: { name: queue }, taskQueueType, reportStats: true };
  const { pollers, stats } = await client.workflowService.describeTaskQueue(request);
  const now = Date.now();
  const seen = (pollers ?? []).map(({ identity, lastAccessTime }) => ({
    identity: identity ?? '',
    ago: now - Number(lastAccessTime?.seconds ?? 0) * 1000,
  }));
  const recent = seen.filter(({ ago }) => ago < RECENT);
  return {
    queue,
    pollers: [...new Set(recent.map(({ identity }) => identity))],
    lastPoll: seen.length > 0 ? Math.max(0, Math.min(...seen.map(({ ago }) => ago))) : undefined,
    backlog: Number(stats?.approximateBacklogCount ?? 0),
  };
}

/** ms after which waiting for an answer is worth a look at the queues. */
const LOOK = 3_000;

/** Says once, a little later, that nobody is there to do the work; returns how to call it off. */
export function watchForStarvation(access: TemporalClient): () => void {
  const look = async (): Promise<void> => {
    const problem = starvation(await describeQueues(access).catch(() => []));
    if (problem !== undefined) say(`${problem}; still waiting`);
  };
  const timer = setTimeout(() => void look(), LOOK);
  return () => clearTimeout(timer);
}

/** What an operator should know of queues that nobody polls; undefined when all is well. */
export function starvation(queues: QueueState[]): string | undefined {
  const starved = queues.filter(({ pollers }) => pollers.length === 0);
  if (starved.length === 0) return undefined;
  const names = starved.map(({ queue }) => queue).join(' and ');
  const seen = Math.min(...starved.map(({ lastPoll = Infinity }) => lastPoll));
  const since = Number.isFinite(seen) ? ` for ${Math.round(seen / 1000)} s` : '';
  return starved.length === 1 && queues[0]!.pollers.length > 0
    ? `no worker takes requests from ${names}${since}: they are full, draining or gone`
    : `no worker polls ${names}${since}: start one with \`patient worker\`, or set PATIENT_TASK_QUEUE`;
}
