import { AssertionError } from 'node:assert';
import { isGrpcServiceError, WorkflowFailedError } from '@temporalio/client';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { headerSafe } from '../shared/request-id.ts';
import type { CallbackArgument } from '../shared/wire.ts';
import type { TargetServer } from './target-server.ts';

const NOT_FOUND = 5;

/**
 * Every request reached the target, each hop of it exactly once: no retry, nothing sent twice.
 * `expected` is their number, or their ids. Requests of other clients are not looked at.
 *
 * @throws AssertionError that names the requests
 * @example
 * await env.patient.post(env.target.url('/echo'), { requestId: 'order-17', json: {} });
 * assertSentOnce(env.target, ['order-17']);
 */
export function assertSentOnce(
  { hits }: Pick<TargetServer, 'hits'>,
  expected: number | readonly string[],
): void {
  const ids = new Set<string>();
  const hops = new Map<string, number>();
  for (const { method, path, headers } of hits) {
    const id = headers['x-request-id'];
    if (typeof id !== 'string') continue;
    ids.add(id);
    const hop = `${method} ${path} of request ${id}`;
    hops.set(hop, (hops.get(hop) ?? 0) + 1);
  }
  const problems = [...hops].filter(([, count]) => count > 1);
  const lines = problems.map(([hop, count]) => `${hop} arrived ${count} times`);
  if (typeof expected === 'number') {
    if (ids.size !== expected) lines.push(`${ids.size} requests arrived, expected ${expected}`);
  } else {
    const wanted = new Set(expected.map(headerSafe));
    for (const id of wanted) if (!ids.has(id)) lines.push(`request ${id} did not arrive`);
    for (const id of ids) if (!wanted.has(id)) lines.push(`request ${id} was not expected`);
  }
  if (lines.length) fail(lines.join('\n'));
}

/** What a request's callback workflow was started with. */
export interface ReceivedCallback {
  argument: CallbackArgument;
  /** The callback workflow: `await workflow.result()` waits for its handler. */
  workflow: WorkflowHandle;
}

/**
 * The callback of a request, once the request has ended.
 *
 * @param workflowId of the request's workflow, which is the id of a submitted request
 * @throws AssertionError when the request ended without starting one
 * @example
 * const { requestId } = await env.patient.submit.get(url, { callback });
 * const { argument } = await callbackOf(env.client, requestId);
 * argument.response?.status; // 200
 */
export async function callbackOf(client: Client, workflowId: string): Promise<ReceivedCallback> {
  const request = client.workflow.getHandle(workflowId);
  await request.result().catch((error: unknown) => {
    if (!(error instanceof WorkflowFailedError)) throw error;
  });
  const { originalExecutionRunId } = await startOf(request);
  const callbackId = `${workflowId}:callback:${originalExecutionRunId}`;
  const workflow = client.workflow.getHandle(callbackId);
  const { input } = await startOf(workflow).catch((error: unknown) => {
    if (!isGrpcServiceError(error) || error.code !== NOT_FOUND) throw error;
    return fail(`request ${workflowId} ended without a callback`);
  });
  const { loadedDataConverter, namespace } = client.options;
  const context = { type: 'workflow' as const, namespace, workflowId: callbackId };
  const [argument] = await decodeArrayFromPayloads(loadedDataConverter, input?.payloads, context);
  return { argument: argument as CallbackArgument, workflow };
}

async function startOf(workflow: WorkflowHandle) {
  const { events } = await workflow.fetchHistory();
  return events?.[0]?.workflowExecutionStartedEventAttributes ?? {};
}

function fail(message: string): never {
  throw new AssertionError({ message, stackStartFn: fail });
}
