// #region
import { NativeConnection, Worker } from '@temporalio/worker';
import { PatientPlugin } from 'patient-http';

// #endregion
export async function create(address: string, workflowsPath: string) {
  // #region
  const worker = await Worker.create({
    connection: await NativeConnection.connect({ address }),
    taskQueue: 'orders',
    workflowsPath,
    // Private addresses are refused unless they are listed.
    plugins: [new PatientPlugin({ maxConnections: 500, allowAddresses: ['127.0.0.1'] })],
  });
  // #endregion
  return worker;
}

export async function run(worker: Worker) {
  // #region
  await worker.run();
  // #endregion
}
