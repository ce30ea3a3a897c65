import type { Connection } from '@temporalio/client';
// #region
import { Client } from '@temporalio/client';
import { PatientClient, PatientPlugin } from 'patient-http';

// #endregion
export function create(connection: Connection, key: string, payloadStore: string) {
  // #region
  const plugin = new PatientPlugin({
    processor: false, // this process only asks
    compress: true,
    encryptionKeys: [`2026-11:${key}`],
    payloadStore,
  });
  const client = new Client({ connection, plugins: [plugin] });
  const patient = new PatientClient({ client });
  // #endregion
  return { client, patient };
}
