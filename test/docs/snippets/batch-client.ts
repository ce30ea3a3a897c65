import type { Client } from '@temporalio/client';
// #region
import { PatientClient } from 'patient-http';

// #endregion
export async function use(client: Client, api: string) {
  // #region
  const patient = new PatientClient({ client });
  const batch = await patient.submitBatch({
    source: { activity: 'ordersToPrice', taskQueue: 'batches', args: [api, 'customer-7'] },
    defaults: { timeout: '10m', flow: { key: 'prices', concurrency: 50 } },
    sink: { activity: 'savePrices', taskQueue: 'batches' },
    keep: 'none',
  });
  console.log(await batch.progress());
  const { succeeded, failed } = await batch.result();
  // #endregion
  return { succeeded, failed };
}
