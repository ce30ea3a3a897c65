import type { Client } from '@temporalio/client';
import { PatientClient } from './client.ts';
import type { ResolvedOptions } from './config/options.ts';
import type { Fleet } from './fleet/port.ts';
import { ConfigError } from './shared/errors.ts';
import type { Log } from './shared/log.ts';
import { credentialsOf, isLoopback, type Credentials } from './web/access.ts';
import { createDashboard } from './web/dashboard.tsx';
import { healthRoutes, type HealthSource } from './web/health.ts';
import type { TemporalSide } from './web/port.ts';
import { WebServer } from './web/server.ts';

export interface WorkerWebOptions {
  options: ResolvedOptions;
  namespace: string;
  health: HealthSource;
  fleet: Fleet;
  /** Of the worker's own connection. */
  client: () => Client;
  log: Log;
}

/**
 * What a worker serves at `listen`: health always, the dashboard where it is asked for.
 * @throws ConfigError for a dashboard that everybody could reach
 */
export function createWeb({
  options,
  namespace,
  health,
  fleet,
  client: clientOf,
  log,
}: WorkerWebOptions): WebServer | undefined {
  const { listen, dashboard, taskQueue, temporalUi } = options;
  if (!listen) return undefined;
  const app = healthRoutes(health);
  if (dashboard) {
    const client = clientOf();
    const patient = new PatientClient({ client, taskQueue });
    const credentials = dashboardCredentials(listen.host);
    const place = { namespace, taskQueue, temporalUi, credentials };
    app.route(
      '/',
      createDashboard({ fleet, temporal: temporalSide(client, patient), ...place, log }),
    );
  }
  return new WebServer(app, listen);
}

/** What a dashboard asks of Temporal. */
export function temporalSide(client: Client, patient: PatientClient): TemporalSide {
  return {
    batches: (limit) => patient.batches(limit),
    redrive: (workflowId, runId) => patient.redrive(workflowId, runId),
    ping: () => client.workflowService.getSystemInfo({}),
  };
}

/**
 * From the environment alone.
 * @throws ConfigError when there are none, and others than this machine could reach the dashboard
 */
export function dashboardCredentials(host: string): Credentials | undefined {
  const credentials = credentialsOf(process.env);
  if (credentials || isLoopback(host)) return credentials;
  throw new ConfigError(
    `listen: expected a loopback address for a dashboard without PATIENT_DASHBOARD_PASSWORD or ` +
      `PATIENT_DASHBOARD_TOKEN, got ${host}`,
  );
}
