import { Client } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { DefaultLogger, type NativeConnection } from '@temporalio/worker';
import { PatientClient } from '../client.ts';
import { PatientCodec, withCodec } from '../payload/patient-codec.ts';
import { say } from './output.ts';
import { cliOptions } from './settings.ts';
import type { TemporalClient } from './temporal-client.ts';
import { connect } from './temporal-connection.ts';
import { temporalSettings } from './temporal-settings.ts';

export interface NativeTemporalClient extends TemporalClient {
  connection: NativeConnection;
  dataConverter: DataConverter;
}

/** As `withTemporal`, for a command that is a worker too. */
export async function withNativeTemporal<T>(
  use: (access: NativeTemporalClient) => Promise<T>,
): Promise<T> {
  const options = cliOptions();
  const log = new DefaultLogger('ERROR', ({ message }) => say(message));
  await using temporal = await connect(temporalSettings(), { log, metrics: undefined });
  const { connection, address, namespace } = temporal;
  const dataConverter = withCodec(undefined, new PatientCodec(options));
  const client = new Client({ connection, namespace, dataConverter });
  const patient = new PatientClient({ client, taskQueue: options.taskQueue });
  return await use({ client, patient, address, namespace, options, connection, dataConverter });
}
