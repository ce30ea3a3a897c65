import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  type WorkflowBundleOption,
} from '@temporalio/worker';

/** The bundle of the ready-made workflows. */
export function bundleWorkflows(): Promise<WorkflowBundleOption> {
  // A directory: it holds index.ts in the source tree and index.js in the package.
  const workflowsPath = fileURLToPath(new URL('../workflows/', import.meta.url));
  const { logger } = Runtime.instance();
  // At level INFO the bundler prints all of webpack's own report.
  const warnings = new DefaultLogger('WARN', ({ level, message, meta }) => {
    logger.log(level, message, meta);
  });
  const traceHeader = new URL(
    `../workflows/trace-header${extname(import.meta.url)}`,
    import.meta.url,
  );
  const workflowInterceptorModules = [fileURLToPath(traceHeader)];
  return bundleWorkflowCode({ workflowsPath, workflowInterceptorModules, logger: warnings });
}
