import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, Runtime, type WorkflowBundleOption } from '@temporalio/worker';
import { inject } from 'vitest';
import {
  startTestEnvironment,
  type TestEnvironment,
  type TestEnvironmentOptions,
} from '../../src/testing/environment.ts';
import { bundleWorkflows } from '../../src/workflow-bundle.ts';

/** `run` knows the workflows in test/temporal/workflows. */
export interface Environment extends TestEnvironment {
  readonly workflowBundle: WorkflowBundleOption;
}

let bundles: Promise<[patient: WorkflowBundleOption, user: WorkflowBundleOption]> | undefined;

function bundle(): NonNullable<typeof bundles> {
  quietRuntime();
  const workflowsPath = fileURLToPath(new URL('../temporal/workflows/', import.meta.url));
  const { logger } = Runtime.instance();
  return Promise.all([bundleWorkflows(), bundleWorkflowCode({ workflowsPath, logger })]);
}

/** A Patient HTTP worker, a user's worker and a target, on queues of their own. */
export async function startEnvironment(options: TestEnvironmentOptions = {}): Promise<Environment> {
  const [workflowBundle, userBundle] = await (bundles ??= bundle());
  const taskQueue = `test-${randomUUID()}`;
  const env = await startTestEnvironment({
    address: inject('temporalAddress'),
    taskQueue,
    workflowBundle,
    user: { workflowBundle: userBundle, taskQueue: `${taskQueue}:user` },
    ...options,
  });
  return Object.assign(env, { workflowBundle });
}

/** Before anything of Temporal's is used, for tests that start no environment of this kind. */
export function quietRuntime(): void {
  Runtime.install({ logger: quietLogger, shutdownSignals: [] });
}

const silent = (): void => undefined;
const show = (message: string, meta?: unknown): void => console.error(message, meta ?? '');

/** Shows what went wrong, not what went as usual. */
export const quietLogger = {
  log: silent,
  trace: silent,
  debug: silent,
  info: silent,
  warn: process.env.PATIENT_TEST_LOG ? show : silent,
  error: show,
};
