import { runWorker, workerSettings } from '../run-worker.ts';
import { connect } from '../temporal-connection.ts';
import { temporalSettings } from '../temporal-settings.ts';

/** `patient worker`: a worker for a Temporal that already runs. */
export async function runWorkerCommand(): Promise<number> {
  const settings = workerSettings(process.env);
  await using temporal = await connect(temporalSettings(), settings);
  return await runWorker(settings, temporal, (ready) => console.log(ready));
}
