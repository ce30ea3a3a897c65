// Health of the worker in this container: healthy while Temporal sees this host poll for workflow
// tasks. (For requests a full worker does not poll.)
import { Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { hostname } from 'node:os';

const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
const connection = await Connection.connect({ ...connectionOptions, connectTimeout: 5_000 });
const { pollers } = await connection.workflowService.describeTaskQueue({
  namespace,
  taskQueue: { name: process.env.PATIENT_TASK_QUEUE || 'patient-http' },
  taskQueueType: 1, // workflows
});
await connection.close();
const ours = pollers.some(({ identity }) => identity.includes(hostname()));
if (!ours) console.error(`No worker of ${hostname()} polls; ${pollers.length} others do`);
process.exitCode = ours ? 0 : 1;
