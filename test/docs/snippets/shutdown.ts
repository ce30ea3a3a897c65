// Run as JavaScript, in a process of its own: a runtime is installed once. So it has no types.
// #region
import { fileURLToPath } from 'node:url';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { PatientPlugin } from 'patient-http';

Runtime.install({ shutdownSignals: [] });
const { TEMPORAL_ADDRESS: address = 'localhost:7233' } = process.env;
const connection = await NativeConnection.connect({ address });
const worker = await Worker.create({
  connection,
  taskQueue: 'orders',
  workflowsPath: fileURLToPath(new URL('./workflows', import.meta.url)),
  plugins: [new PatientPlugin({ shutdownTimeout: '30s', drainTimeout: '10m' })],
});
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => worker.shutdown());
await worker.run();
await connection.close();
// #endregion
