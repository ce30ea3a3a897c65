import { randomUUID } from 'node:crypto';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { CallbackArgument, RequestSpec, WireError } from '../../../src/index.ts';
import { requestError } from '../../../src/index.ts';
import type { Environment } from '../../support/environment.ts';
import { waitFor } from '../../support/wait-for.ts';

/** What a promise rejects with; resolving is the failure. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error(`Resolved with ${JSON.stringify(value)}`);
}

/** The request error that a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<WireError> {
  const error = await rejection(promise);
  const found = requestError(error);
  if (!found) throw error;
  return found;
}

/** Starts a ready-made workflow with an argument that no type checks. */
export function start(
  env: Environment,
  type: string,
  spec: unknown,
  workflowId: string = randomUUID(),
): Promise<WorkflowHandle & { firstExecutionRunId: string }> {
  return env.client.workflow.start(type, { taskQueue: env.taskQueue, workflowId, args: [spec] });
}

/** A callback workflow of the tests, on the tests' own queue. */
export function callbackTo(env: Environment, workflow = 'rawCallback') {
  return { workflow, taskQueue: env.userQueue } satisfies RequestSpec['callback'];
}

/** The callback workflow of a request. */
export function callbackOf(
  client: Client,
  workflowId: string,
  runId: string,
): WorkflowHandle<() => Promise<CallbackArgument>> {
  return client.workflow.getHandle(`${workflowId}:callback:${runId}`);
}

/** Waits for a request's callback to be started, and gives its result. */
export async function callbackResult(
  client: Client,
  workflowId: string,
  runId: string,
): Promise<CallbackArgument> {
  const handle = callbackOf(client, workflowId, runId);
  await waitFor(() => exists(handle), { message: `a callback of ${workflowId}` });
  return handle.result();
}

export async function exists(handle: WorkflowHandle): Promise<boolean> {
  return handle.describe().then(
    () => true,
    (error: Error) => {
      if (error.name === 'WorkflowNotFoundError') return false;
      throw error;
    },
  );
}
