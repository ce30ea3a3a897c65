import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import type { Environment } from '../../support/environment.ts';
import { waitFor } from '../../support/wait-for.ts';
import { rejection } from './outcomes.ts';

/** Runs a workflow to its end. */
export type Case = (env: Environment) => Promise<WorkflowHandle>;

export function startUser(
  env: Environment,
  type: string,
  args: unknown[],
): Promise<WorkflowHandle> {
  const { userQueue: taskQueue } = env;
  return env.client.workflow.start(type, { taskQueue, workflowId: randomUUID(), args });
}

export async function ended<H extends WorkflowHandle>(starting: Promise<H>): Promise<H> {
  const handle = await starting;
  await handle.result().catch(() => undefined);
  return handle;
}

export async function cancelOnceSent(env: Environment, handle: WorkflowHandle): Promise<void> {
  await waitFor(async () => {
    const { raw } = await handle.describe();
    return raw.pendingActivities?.length === 1 && env.target.inFlight > 0;
  });
  await handle.cancel();
  await rejection(handle.result());
}
