import {
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  type Logger,
  type NativeConnectionOptions,
} from '@temporalio/worker';
import { metricsExporter } from '../telemetry/metrics-exporter.ts';
import { CliError } from './failure.ts';
import {
  DEFAULT_ADDRESS,
  namespaceReason,
  noTemporal,
  type TemporalSettings,
} from './temporal-settings.ts';

export interface TemporalAccess extends AsyncDisposable {
  connection: NativeConnection;
  address: string;
  namespace: string;
}

export interface RuntimeSettings {
  log: Logger;
  /** The option of this name. */
  metrics: string | undefined;
}

/** The SDK's default, less one warning per repeated call: an outage is told once, by us. */
const CORE_LOG_FILTER =
  makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) + ',temporalio_client::retry=ERROR';

/**
 * Connects, and sees to it that the namespace is there.
 * @throws CliError that names what to set
 */
export async function connect(
  { connectionOptions, namespace = 'default' }: TemporalSettings,
  { log, metrics }: RuntimeSettings,
): Promise<TemporalAccess> {
  installRuntime({ log, metrics });
  const address = connectionOptions.address ?? DEFAULT_ADDRESS;
  const connection = await connectTo(connectionOptions, address);
  try {
    await connection.workflowService.describeNamespace({ namespace });
  } catch (error) {
    await connection.close();
    throw new CliError(namespaceReason(error, address, namespace));
  }
  const close = () => connection.close();
  return { connection, address, namespace, [Symbol.asyncDispose]: close };
}

function installRuntime({ log, metrics }: RuntimeSettings): void {
  try {
    Runtime.install({
      logger: log,
      // The SDK would only stop polling; ours drain, and tell what a second signal would cost.
      shutdownSignals: [],
      telemetryOptions: {
        logging: { filter: CORE_LOG_FILTER, forward: {} },
        ...(metrics !== undefined && { metrics: metricsExporter(metrics) }),
      },
    });
  } catch (cause) {
    throw new CliError(`PATIENT_METRICS: ${metrics}`, { cause });
  }
}

async function connectTo(
  options: NativeConnectionOptions,
  address: string,
): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect(options);
  } catch (error) {
    // It ends with its last user; one that never had any would keep the process alive.
    await Runtime.instance().shutdown();
    throw noTemporal(address, error);
  }
}
