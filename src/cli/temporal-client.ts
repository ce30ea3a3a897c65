import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { PatientClient } from '../client.ts';
import type { ResolvedOptions } from '../config/options.ts';
import { PatientCodec, withCodec } from '../payload/patient-codec.ts';
import { grpcCode } from '../telemetry/loggable.ts';
import { CliError } from './failure.ts';
import { cliOptions } from './settings.ts';
import {
  DEFAULT_ADDRESS,
  namespaceReason,
  noTemporal,
  temporalSettings,
} from './temporal-settings.ts';

export interface TemporalClient {
  client: Client;
  patient: PatientClient;
  address: string;
  namespace: string;
  options: ResolvedOptions;
}

/** ms in which Temporal has to answer for the first time. */
const FIRST_ANSWER = 10_000;

/**
 * A client for a look or a request, with the payload codec of the workers.
 * @throws CliError that names what to set
 */
export async function withTemporal<T>(
  use: (access: TemporalClient) => Promise<T>,
  options = cliOptions(),
): Promise<T> {
  const { connectionOptions, namespace = 'default' } = temporalSettings();
  const address = connectionOptions.address ?? DEFAULT_ADDRESS;
  const connecting = { ...connectionOptions, address } as ConnectionOptions;
  await greet(connecting, address, namespace);
  const connection = Connection.lazy(connecting);
  try {
    const dataConverter = withCodec(undefined, new PatientCodec(options));
    const client = new Client({ connection, namespace, dataConverter });
    const patient = new PatientClient({ client, taskQueue: options.taskQueue });
    return await use({ client, patient, address, namespace, options });
  } finally {
    await connection.close();
  }
}

/** Without the SDK's retries, which would say after ten seconds what is known at once. */
async function greet(
  options: ConnectionOptions,
  address: string,
  namespace: string,
): Promise<void> {
  const connection = Connection.lazy({ ...options, interceptors: [] });
  try {
    await connection.withDeadline(Date.now() + FIRST_ANSWER, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
  } catch (error) {
    const isAway = ['UNAVAILABLE', 'DEADLINE_EXCEEDED'].includes(grpcCode(error) ?? '');
    throw isAway
      ? noTemporal(address, error)
      : new CliError(namespaceReason(error, address, namespace));
  } finally {
    await connection.close();
  }
}
