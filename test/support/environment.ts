import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import {
  bundleWorkflowCode,
  NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { inject } from 'vitest';
import { PatientClient } from '../../src/client.ts';
import { startTargetServer, type TargetServer } from '../../src/testing/target-server.ts';
import { bundleWorkflows, PatientWorker, type PatientWorkerOptions } from '../../src/worker.ts';

export interface Environment extends AsyncDisposable {
  client: Client;
  workflowBundle: WorkflowBundleOption;
  patient: PatientClient;
  worker: PatientWorker;
  target: TargetServer;
  /** Of the Patient HTTP worker; the tests' own workflows run on `<taskQueue>:user`. */
  taskQueue: string;
  userQueue: string;
  /** Runs one of the workflows in test/temporal/workflows. */
  run<T>(workflowType: string, args: unknown[], workflowId?: string): Promise<T>;
}

let bundles: Promise<[patient: WorkflowBundleOption, user: WorkflowBundleOption]> | undefined;

function bundle(): NonNullable<typeof bundles> {
  Runtime.install({ logger: quietLogger(), shutdownSignals: [] });
  const workflowsPath = fileURLToPath(new URL('../temporal/workflows/', import.meta.url));
  const { logger } = Runtime.instance();
  return Promise.all([bundleWorkflows(), bundleWorkflowCode({ workflowsPath, logger })]);
}

/** A Patient HTTP worker, a user's worker and a target, on queues of their own. */
export async function startEnvironment(
  options: Partial<PatientWorkerOptions> = {},
): Promise<Environment> {
  const [workflowBundle, userBundle] = await (bundles ??= bundle());
  const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
  const taskQueue = `test-${randomUUID()}`;
  const userQueue = `${taskQueue}:user`;
  const target = await startTargetServer();
  const worker = await PatientWorker.create({
    connection,
    taskQueue,
    workflowBundle,
    allowPrivateAddresses: true,
    shutdownTimeout: 0,
    drainTimeout: 0,
    ...options,
  });
  const user = await Worker.create({
    connection,
    taskQueue: userQueue,
    workflowBundle: userBundle,
  });
  const running = [worker.run(), user.run()];
  const client = new Client({ connection });
  return {
    client,
    workflowBundle,
    patient: new PatientClient({ client, taskQueue }),
    worker,
    target,
    taskQueue,
    userQueue,
    run: (workflowType, args, workflowId = randomUUID()) =>
      client.workflow.execute(workflowType, { taskQueue: userQueue, workflowId, args }),
    async [Symbol.asyncDispose]() {
      user.shutdown();
      await worker.shutdown();
      await Promise.all(running);
      await target.close();
      await connection.close();
    },
  };
}

/** Shows what went wrong, not what went as usual. */
function quietLogger() {
  const silent = (): void => undefined;
  const show = (message: string, meta?: unknown): void => console.error(message, meta ?? '');
  return {
    log: silent,
    trace: silent,
    debug: silent,
    info: silent,
    warn: process.env.PATIENT_TEST_LOG ? show : silent,
    error: show,
  };
}
