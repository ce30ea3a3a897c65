import { WorkflowFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { CallbackArgument, WireResponse } from '../../src/index.ts';
import type { WireError } from '../../src/shared/wire.ts';
import { waitFor } from '../support/wait-for.ts';
import { insist, type SentRequest } from './requests.ts';
import { CALLBACK_QUEUE, type World } from './world.ts';

/** A request with how its workflow ended. */
export interface EndedRequest extends SentRequest {
  runId: string;
  /** Epoch ms. */
  endedAt: number;
  /** Status of the response, type of the failure, `cancelled`, or what must not be. */
  outcome: string;
  response?: WireResponse;
  error?: WireError;
}

export interface CallbackRun {
  workflowId: string;
  status: string;
}

const AT_ONCE = 20;
/** ms for the callbacks after the last request has ended. */
const CALLBACKS = 60_000;

/** Waits until every request has ended; those that do not within `limit` ms are violations. */
export async function ended(
  { client, journal }: World,
  requests: readonly SentRequest[],
  limit: number,
): Promise<EndedRequest[]> {
  const deadline = performance.now() + limit;
  const queue = [...requests];
  const results: EndedRequest[] = [];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let request = queue.shift(); request; request = queue.shift()) {
        const result = await endOf(client, request, deadline);
        if (typeof result === 'string') journal.violation(`${request.id} has not ended: ${result}`);
        else results.push(result);
      }
    }),
  );
  return results;
}

/** In words why it goes on, when it does not end. */
async function endOf(
  client: Client,
  request: SentRequest,
  deadline: number,
): Promise<EndedRequest | string> {
  const handle = client.workflow.getHandle(request.id);
  const describe = () => insist(() => handle.describe());
  const closed = await waitFor(
    async () => {
      const found = await describe();
      return found.status.name === 'RUNNING' ? undefined : found;
    },
    { timeout: Math.max(0, deadline - performance.now()), interval: 200 },
  ).catch(() => undefined);
  if (!closed) {
    const { raw } = await describe();
    return JSON.stringify(raw.pendingActivities ?? 'no pending activity', undefined, 1);
  }
  const end = { ...request, runId: closed.runId, endedAt: closed.closeTime!.getTime() };
  if (closed.status.name === 'CANCELLED') return { ...end, outcome: 'cancelled' };
  if (closed.status.name === 'COMPLETED') {
    const response = (await insist(() => handle.result())) as WireResponse;
    return { ...end, outcome: String(response.status), response };
  }
  const failure = await handle.result().catch((error: unknown) => error);
  const cause = failure instanceof WorkflowFailedError ? failure.cause : undefined;
  // Terminated, timed out, or failed as no request may.
  if (!(cause instanceof ApplicationFailure)) return { ...end, outcome: String(cause ?? failure) };
  const error = { ...(cause.details?.[0] as object), type: cause.type } as WireError;
  return { ...end, outcome: String(cause.type), error };
}

/** All runs of callback workflows, once they have ended and as many as there must be are there. */
export async function callbackRuns(
  { client, journal }: World,
  expected: number,
): Promise<CallbackRun[]> {
  const list = () => runs(client, CALLBACK_QUEUE);
  let found = await list();
  await waitFor(
    async () => {
      found = await list();
      return found.length >= expected && found.every(({ status }) => status !== 'RUNNING');
    },
    { timeout: CALLBACKS, interval: 300 },
  ).catch(() => journal.note(`${found.length} callbacks after ${CALLBACKS} ms, not ${expected}`));
  return found;
}

/** Every run there ever was on a queue, closed or not. */
export async function runs(client: Client, taskQueue: string): Promise<CallbackRun[]> {
  return insist(async () => {
    const found: CallbackRun[] = [];
    const query = `TaskQueue = '${taskQueue}'`;
    for await (const { workflowId, status } of client.workflow.list({ query })) {
      found.push({ workflowId, status: status.name });
    }
    return found;
  });
}

/** What a callback workflow returned: its argument, or its handlers' part of it. */
export function callbackResult(
  { client }: World,
  workflowId: string,
): Promise<Partial<CallbackArgument>> {
  return insist(() => client.workflow.getHandle(workflowId).result());
}
