import { NativeConnection } from '@temporalio/worker';
import { PatientWorker, type PatientWorkerOptions } from '../../../src/worker.ts';
import type { Environment } from '../../support/environment.ts';

export interface SecondWorker extends AsyncDisposable {
  readonly worker: PatientWorker;
}

/**
 * Another Patient HTTP worker on the queues of the first, as another process would have it: with a
 * connection of its own.
 */
export async function startSecondWorker(
  { address, taskQueue, workflowBundle }: Environment,
  options: Partial<PatientWorkerOptions> = {},
): Promise<SecondWorker> {
  const connection = await NativeConnection.connect({ address });
  const worker = await PatientWorker.create({
    ...{ connection, taskQueue, workflowBundle },
    ...{ allowPrivateAddresses: true, shutdownTimeout: 0, drainTimeout: 0 },
    ...options,
  });
  const running = worker.run();
  return {
    worker,
    async [Symbol.asyncDispose]() {
      await worker.shutdown();
      await running;
      await connection.close();
    },
  };
}
