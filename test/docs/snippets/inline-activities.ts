import { Worker, type NativeConnection } from '@temporalio/worker';
// #region
import { bundleWorkflows } from 'patient-http';
import { createInlineActivities } from 'patient-http/testing';

// #endregion
export async function create(connection: NativeConnection) {
  // #region
  const activities = createInlineActivities({ respond: () => ({ json: { amount: 12 } }) });
  const workflowBundle = await bundleWorkflows();
  const workers = await Promise.all([
    Worker.create({ connection, taskQueue: 'patient-http:requests', activities }),
    Worker.create({ connection, taskQueue: 'patient-http', activities, workflowBundle }),
  ]);
  // #endregion
  return workers;
}
