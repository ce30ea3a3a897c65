// #region
import { NativeConnection } from '@temporalio/worker';
import { PatientWorker } from 'patient-http';

// #endregion
export async function create(address: string) {
  // #region
  const connection = await NativeConnection.connect({ address });
  const worker = await PatientWorker.create({
    connection,
    taskQueue: 'limited',
    allowAddresses: ['127.0.0.1'],
    flow: {
      // By host: whatever goes there.
      'api.example.com': { rate: 10, period: '1s', concurrency: 5 },
      // By key: what says `flow: { key: 'prices' }`.
      prices: { rate: 600, period: '1m', burst: 20 },
    },
  });
  // #endregion
  return { worker, connection };
}

export async function run(worker: PatientWorker) {
  // #region
  await worker.run();
  // #endregion
}
