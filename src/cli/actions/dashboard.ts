import type { Fleet } from '../../fleet/port.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { createDashboard } from '../../web/dashboard.tsx';
import { livenessRoute } from '../../web/health.ts';
import { WebServer } from '../../web/server.ts';
import { dashboardCredentials, temporalSide } from '../../worker-web.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { listenAddress } from '../../config/addresses.ts';
import { CliError, UsageError } from '../failure.ts';
import { withFleet } from '../fleet.ts';
import { cliOptions } from '../settings.ts';
import { withTemporal, type TemporalClient } from '../temporal-client.ts';
import { signalled } from '../signals.ts';

export interface DashboardFlags {
  listen?: string;
}

/** Beside Temporal's UI and the codec server. */
export const DASHBOARD_LISTEN = '127.0.0.1:8235';

/** `patient dashboard`: the whole fleet's, in a process of its own, until a signal. */
export async function serveDashboard(flags: DashboardFlags): Promise<ExitCode> {
  const parsed = listenAddress().optional().safeParse(flags.listen);
  if (!parsed.success)
    throw new UsageError(
      `--listen: ${parsed.error.issues[0]!.message}, got ${JSON.stringify(flags.listen)}`,
    );
  const options = cliOptions({
    listen: flags.listen || process.env['PATIENT_LISTEN'] || DASHBOARD_LISTEN,
  });
  const { redisUrl, listen, temporalUi, taskQueue, logLevel } = options;
  if (redisUrl === undefined) {
    throw new CliError(
      'dashboard: set PATIENT_REDIS_URL; without Redis only a worker itself knows what it has in ' +
        'flight: give it PATIENT_LISTEN and PATIENT_DASHBOARD=true',
    );
  }
  const credentials = dashboardCredentials(listen!.host);
  const log = createLogger({ level: logLevel });
  const serve = async ({ client, patient, namespace }: TemporalClient, fleet: Fleet) => {
    const place = { namespace, taskQueue, temporalUi, credentials };
    const temporal = temporalSide(client, patient);
    const app = livenessRoute();
    app.route('/', createDashboard({ fleet, temporal, ...place, log }));
    const server = new WebServer(app, listen!);
    await server.start();
    console.log(`patient-http dashboard ready: ${server.url}`);
    await signalled();
    await server.close();
  };
  await withTemporal(
    (access) => withFleet('dashboard', (fleet) => serve(access, fleet), options),
    options,
  );
  return EXIT.done;
}
