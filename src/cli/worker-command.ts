import { runWorker, workerSettings } from './run-worker.ts';
import { connect, temporalSettings } from './temporal-connection.ts';

/** `patient worker`: a worker for a Temporal that already runs. */
export async function workerCommand(): Promise<number> {
  const settings = workerSettings(process.env);
  await using temporal = await connect(temporalSettings(), settings.log);
  return await runWorker(settings, temporal, console.log);
}
