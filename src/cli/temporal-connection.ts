import { loadClientConnectConfig } from '@temporalio/envconfig';
import {
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  type Logger,
  type NativeConnectionOptions,
} from '@temporalio/worker';
import { grpcCode } from '../telemetry/loggable.ts';
import { CliError, describeFailure } from './failure.ts';

export interface TemporalAccess extends AsyncDisposable {
  connection: NativeConnection;
  address: string;
  namespace: string;
}

interface TemporalSettings {
  connectionOptions: NativeConnectionOptions;
  namespace?: string;
}

/** The SDK's default, less one warning per repeated call: an outage is told once, by us. */
const CORE_LOG_FILTER =
  makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) + ',temporalio_client::retry=ERROR';

/**
 * The way to Temporal by the `TEMPORAL_*` variables and the profile they name.
 * @throws CliError
 */
export function temporalSettings(): TemporalSettings {
  try {
    return loadClientConnectConfig();
  } catch (error) {
    throw new CliError(`Temporal settings: ${describeFailure(error)}`);
  }
}

/**
 * Connects, and sees to it that the namespace is there.
 * @throws CliError that names what to set
 */
export async function connect(
  { connectionOptions, namespace = 'default' }: TemporalSettings,
  logger: Logger,
): Promise<TemporalAccess> {
  Runtime.install({
    logger,
    // The SDK would only stop polling; ours drain, and tell what a second signal would cost.
    shutdownSignals: [],
    telemetryOptions: { logging: { filter: CORE_LOG_FILTER, forward: {} } },
  });
  const address = connectionOptions.address ?? 'localhost:7233';
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

async function connectTo(
  options: NativeConnectionOptions,
  address: string,
): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect(options);
  } catch (error) {
    // It ends with its last user; one that never had any would keep the process alive.
    await Runtime.instance().shutdown();
    throw new CliError(`no Temporal at ${address} (TEMPORAL_ADDRESS): ${transportReason(error)}`);
  }
}

/** The innermost message of the native client's nested debug output. */
function transportReason(error: unknown): string {
  const text = describeFailure(error);
  return [...text.matchAll(/(?:message|error): "([^"]+)"/g)].at(-1)?.[1] ?? text;
}

function namespaceReason(error: unknown, address: string, namespace: string): string {
  const code = grpcCode(error);
  if (code === 'NOT_FOUND') {
    return `Temporal at ${address} has no namespace ${JSON.stringify(namespace)} (TEMPORAL_NAMESPACE)`;
  }
  const reason = (error as { details?: string }).details || describeFailure(error);
  return `Temporal at ${address}, namespace ${namespace}: ${reason}${code ? ` [${code}]` : ''}`;
}
