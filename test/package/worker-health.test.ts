import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bundleWorkflowCode, NativeConnection, Worker } from '@temporalio/worker';
import { expect, inject, test } from 'vitest';
import { waitFor } from '../support/wait-for.ts';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const address = inject('temporalAddress');
const taskQueue = `health-${process.pid}`;
const env = { ...process.env, TEMPORAL_ADDRESS: address, PATIENT_TASK_QUEUE: taskQueue };
const check = () =>
  promisify(execFile)(process.execPath, [path('../../scripts/worker-health.mjs')], { env });

test("the image's health check follows the worker", async () => {
  await expect(check()).rejects.toThrow(/No worker of .* polls/);

  const connection = await NativeConnection.connect({ address });
  const workflowBundle = await bundleWorkflowCode({ workflowsPath: path('../../workflows/') });
  const worker = await Worker.create({ connection, taskQueue, workflowBundle });
  await worker.runUntil(waitFor(() => check().catch(() => false)));
  await connection.close();
});
