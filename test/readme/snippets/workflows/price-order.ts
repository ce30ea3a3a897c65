// #region
import { log } from '@temporalio/workflow';
import { defineCallback, patient } from 'patient-http/workflow';

export async function priceOrder(api: string, order: string): Promise<string> {
  // May take minutes; it holds no slot of this worker.
  const price = await patient.get(`${api}/price/${order}`, { timeout: '10m' });
  // Goes on by itself. It is never silently sent twice, also when a process is killed.
  return patient.submit.post(`${api}/invoices`, {
    json: price.json(),
    callback: 'invoiced',
    callbackArgs: order,
  });
}

export const invoiced = defineCallback({
  onComplete: ({ status }, { callbackArgs }) => log.info(`order ${callbackArgs}: ${status}`),
  onError: ({ type }, { callbackArgs }) => log.warn(`order ${callbackArgs}: ${type}`),
});
// #endregion
