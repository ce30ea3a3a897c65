// #region
import { log } from '@temporalio/workflow';
import { defineCallback, patient } from 'patient-http/workflow';

export async function priceOrder(baseUrl: string, order: string): Promise<string> {
  const api = patient.extend({ baseUrl, timeout: '10m', raiseErrorResponses: true });
  // May take minutes; it holds no slot of this worker.
  const price = await api.get(`price/${order}`);
  // Goes on by itself. It is never silently sent twice, also when a process is killed.
  return api.submit.post('invoices', {
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
