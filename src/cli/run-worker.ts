import { optionsFromEnvironment } from '../config/environment.ts';
import { resolveOptions, type PatientOptions, type ResolvedOptions } from '../config/options.ts';
import { requestsQueue } from '../shared/constants.ts';
import { createLogger } from '../telemetry/logger.ts';
import { PatientWorker } from '../worker.ts';
import { drainOnSignals } from './signals.ts';
import { openTracing } from './tracing.ts';
import type { RuntimeSettings, TemporalAccess } from './temporal-connection.ts';

export interface WorkerSettings extends RuntimeSettings {
  options: PatientOptions;
}

/**
 * What `PATIENT_*` variables say.
 * @throws ConfigError that names every wrong one
 */
export function workerSettings(env: NodeJS.ProcessEnv): WorkerSettings {
  const options = optionsFromEnvironment(env);
  const { logLevel, metrics } = resolveOptions(options);
  return { options, log: createLogger({ level: logLevel }), metrics };
}

/**
 * Runs a worker until a signal has drained it; `onReady` gets the line that says it polls.
 * Resolves with the process's exit code: 0 only if no outcome was lost.
 */
export async function runWorker(
  { options, log }: WorkerSettings,
  temporal: TemporalAccess,
  onReady: (line: string, worker: PatientWorker) => void,
): Promise<number> {
  const { connection, namespace } = temporal;
  await using _tracing = options.tracing ? await openTracing() : undefined;
  const worker = await PatientWorker.create({ ...options, connection, namespace });
  const ready = polling(worker);
  const running = worker.run();
  const ignoreSignals = drainOnSignals(worker, log);
  try {
    await Promise.race([ready, running]);
    onReady(readyLine(temporal, worker.options), worker);
    const lost = await running;
    if (lost === 0) return 0;
    log.error(
      `Stopped, and lost ${lost} outcomes: given up, or not taken by Temporal or their batch`,
      { lost },
    );
    return 1;
  } finally {
    ignoreSignals();
  }
}

/** Both Temporal workers begin to poll in the turn in which the processor has started. */
function polling(worker: PatientWorker): Promise<void> {
  return new Promise((resolve) => {
    worker.processor.observe({ start: () => void setImmediate(resolve) });
  });
}

function readyLine({ address, namespace }: TemporalAccess, options: ResolvedOptions): string {
  const { taskQueue, maxConnections } = options;
  const queues = `queues ${taskQueue} and ${requestsQueue(taskQueue)}`;
  const place = `${address}, namespace ${namespace}`;
  return `patient-http worker ready: ${place}, ${queues}, ${maxConnections} connections`;
}
