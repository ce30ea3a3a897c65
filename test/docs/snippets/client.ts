import type { Client } from '@temporalio/client';
// #region
import { PatientClient } from 'patient-http';

// #endregion
export async function use(client: Client, api: string) {
  // #region
  const patient = new PatientClient({ client });
  const price = await patient.get(`${api}/price/17`, { timeout: '10m' });

  const handle = await patient.submit.post(`${api}/invoices`, {
    requestId: 'invoice-17',
    json: price.json(),
  });
  const invoice = await handle.result(); // or handle.cancel(), handle.describe()
  // #endregion
  return { price, invoice };
}
