import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { FleetProcess } from '../../fleet/port.ts';
import { DEFAULT_HEARTBEAT_TIMEOUT } from '../../shared/constants.ts';
import { describeFailure } from '../failure.ts';
import { workflowArguments } from '../history.ts';
import { duration } from '../output.ts';
import { describeQueues, WORKFLOW, type QueueState } from '../queues.ts';
import type { TemporalClient } from '../temporal-client.ts';
import { clock, ok, problem, warning, type Check } from './check.ts';

const DAY = 24 * 60 * 60_000;
/** A submit activity's start-to-close timeout is no shorter. */
const LONGEST_RUN = DAY;

/** What the server says of itself, of the namespace and of the queues. */
export async function checkTemporal(
  access: TemporalClient,
  living: FleetProcess[] | undefined,
): Promise<Check[]> {
  const { client, address, namespace } = access;
  const { serverVersion } = await client.workflowService.getSystemInfo({});
  const [workflows, requests] = await describeQueues(access);
  return [
    ok('temporal', `${address}, server ${serverVersion}, namespace ${namespace}`),
    checkQueue(workflows),
    checkQueue(requests, living),
    ...(await checkRetention(access)),
    await checkClock(access),
  ];
}

/** `gated`: processes that poll it only while they have places. */
function checkQueue(
  { queue, pollers, lastPoll, backlog }: QueueState,
  gated: FleetProcess[] = [],
): Check {
  const waiting = backlog > 0 ? `, ${backlog} tasks wait` : '';
  const name = `queue ${queue}`;
  if (pollers.length > 0) return ok(name, `polled by ${pollers.join(', ')}${waiting}`);
  const since = lastPoll === undefined ? 'nobody polls it' : `not polled for ${duration(lastPoll)}`;
  if (gated.length > 0 && gated.every(takesNothing)) {
    const more = 'start another worker with `patient worker`, or raise PATIENT_MAX_CONNECTIONS';
    return warning(name, `${since}: its workers are full or draining${waiting}`, more);
  }
  const fix =
    "start a worker with `patient worker`, or set PATIENT_TASK_QUEUE to the workers' queue";
  return problem(name, `${since}${waiting}`, fix);
}

function takesNothing({ state, taken, maxConnections }: FleetProcess): boolean {
  return taken >= maxConnections || state === 'draining' || state === 'stopping';
}

async function checkRetention({ client, namespace, options }: TemporalClient): Promise<Check[]> {
  const { config } = await client.workflowService.describeNamespace({ namespace });
  const kept = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1000;
  const name = 'retention';
  const { payloadRetention } = options;
  const said = `closed workflows are kept for ${duration(kept)}`;
  const checks: Check[] = [
    kept >= DAY
      ? ok(name, said)
      : warning(
          name,
          `${said}: a request id used again after that is a new request`,
          `temporal operator namespace update --retention 72h ${namespace}`,
        ),
  ];
  if (payloadRetention === undefined) return checks;
  const need = kept + LONGEST_RUN;
  const stored = `payloads are kept for ${duration(payloadRetention)}`;
  const fix = `set PATIENT_PAYLOAD_RETENTION above the longest deadline and ${duration(kept)} together`;
  if (payloadRetention <= kept)
    checks.push(problem('payload retention', `${stored}; ${said}`, fix));
  else if (payloadRetention < need) {
    checks.push(warning('payload retention', `${stored}, and a request can take a day`, fix));
  } else checks.push(ok('payload retention', stored));
  return checks;
}

/** ms that a poll must be allowed to take, and what we wait for. */
const POLL = 10_000;
const PATIENCE = 2_000;

/** The server notes when a poll came: on a queue of our own nothing else can come of one. */
async function checkClock({ client, namespace }: TemporalClient): Promise<Check> {
  const taskQueue = { name: `patient-doctor-${randomUUID()}` };
  const abort = new AbortController();
  const asked = Date.now();
  const poll = client.withAbortSignal(abort.signal, () =>
    client.withDeadline(asked + POLL, () =>
      client.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue, identity: 'doctor' }),
    ),
  );
  poll.catch(() => undefined);
  try {
    while (Date.now() < asked + PATIENCE) {
      await delay(50);
      const request = { namespace, taskQueue, taskQueueType: WORKFLOW };
      const { pollers } = await client.workflowService.describeTaskQueue(request);
      const time = pollers?.[0]?.lastAccessTime;
      if (!time) continue;
      const seen = Number(time.seconds ?? 0) * 1000 + (time.nanos ?? 0) / 1e6;
      return clock('temporal clock', seen - asked);
    }
    return ok('temporal clock', 'the server does not tell');
  } finally {
    abort.abort();
  }
}

/** Of Temporal itself by default (`frontend.namespaceRPS`), and of Temporal Cloud. */
const LIMIT = { own: 2_400, cloud: 400 };

/** Heartbeats of requests that take longer than the interval of them. */
export function checkHeartbeats(
  { address, options }: TemporalClient,
  living: FleetProcess[] | undefined,
): Check {
  const inFlight = living?.reduce((sum, each) => sum + each.inFlight, 0);
  const places =
    living?.reduce((sum, each) => sum + each.maxConnections, 0) ?? options.maxConnections;
  const interval = DEFAULT_HEARTBEAT_TIMEOUT / 3;
  const most = (count: number): number => Math.ceil((count * 1000) / interval);
  const isCloud = /\.(tmprl\.cloud|api\.temporal\.io)(:\d+)?$/.test(address);
  const limit = isCloud ? LIMIT.cloud : LIMIT.own;
  const now = inFlight === undefined ? '' : `${most(inFlight)} per second now, `;
  const message = `${now}${most(places)} with all ${places} places taken; the limit is ${limit}`;
  const fix =
    'raise heartbeatTimeout in specs, or the limit (dynamic config frontend.namespaceRPS; ' +
    'Temporal Cloud: ask for more actions per second)';
  if (most(places) < limit / 4) return ok('heartbeats', message);
  if (most(inFlight ?? 0) < limit) return warning('heartbeats', message, fix);
  return problem('heartbeats', message, fix);
}

/** Open workflows among which the oldest is looked for. */
const LOOKED_AT = 1_000;

/**
 * Whether what the workers write can be read here, with the same keys and from the same store: the newest
 * workflow, and the oldest that is open, which may need a key that was removed since.
 */
export async function checkReadable(access: TemporalClient): Promise<Check[]> {
  const { client, options } = access;
  const name = 'codec of the fleet';
  const query = `TaskQueue = ${JSON.stringify(options.taskQueue)}`;
  const newest = await listed(client.workflow.list({ query, pageSize: 1 }), 1);
  const open = `${query} AND ExecutionStatus = 'Running'`;
  const running = await listed(
    client.workflow.list({ query: open, pageSize: LOOKED_AT }),
    LOOKED_AT,
  );
  const tried = [...newest, ...running.slice(-1)].map(({ workflowId, runId }) => ({
    workflowId,
    runId,
  }));
  for (const execution of tried) {
    try {
      await workflowArguments(access, execution);
    } catch (error) {
      const fix = 'set PATIENT_ENCRYPTION_KEYS and PATIENT_PAYLOAD_STORE as the workers have them';
      const message = `workflow ${execution.workflowId} cannot be read: ${describeFailure(error)}`;
      return [problem(name, message, fix)];
    }
  }
  const ids = [...new Set(tried.map(({ workflowId }) => workflowId))].join(' and ');
  return tried.length === 0 ? [] : [ok(name, `workflow ${ids} can be read`)];
}

/** The first of a list. */
async function listed<T>(list: AsyncIterable<T>, count: number): Promise<T[]> {
  const found: T[] = [];
  for await (const each of list) if (found.push(each) === count) break;
  return found;
}
