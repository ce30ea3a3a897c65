import { getClient } from '@temporalio/activity';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { CallbackStart } from '../src/shared/activities.ts';

/** Calls to Temporal at once. */
const AT_ONCE = 20;

export async function startCallbacks(callbacks: CallbackStart[]): Promise<void> {
  const rest = callbacks.values();
  const lane = async (): Promise<void> => {
    for (const callback of rest) await startOnce(callback);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

/** Its id is the same after a retry or a reset. */
async function startOnce({ workflow, argument, ...options }: CallbackStart): Promise<void> {
  try {
    await getClient().workflow.start(workflow, {
      ...options,
      args: [argument],
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      workflowIdConflictPolicy: 'FAIL',
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
