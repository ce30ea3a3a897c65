import type { NativeConnection } from '@temporalio/worker';
// #region
import { PatientWorker, type ProcessorObserver } from 'patient-http';

// #endregion
export async function create(connection: NativeConnection, write: (line: string) => void) {
  // #region
  const slowCalls: ProcessorObserver = {
    requestResponse({ request }, { status, durationMs }) {
      if (durationMs >= 50) write(`${request.url}: ${status} after ${durationMs} ms`);
    },
  };
  const worker = await PatientWorker.create({
    connection,
    taskQueue: 'reports',
    allowPrivateAddresses: true,
    observers: [slowCalls],
  });
  // #endregion
  return worker;
}

export async function run(worker: PatientWorker) {
  // #region
  await worker.run();
  // #endregion
}
