// #region
import { log, proxyActivities } from '@temporalio/workflow';
import { defineCallback, patient } from 'patient-http/workflow';

const { updateInvoice } = proxyActivities<{
  updateInvoice(id: number, status: number): Promise<void>;
}>({ startToCloseTimeout: '1m' });

export async function sendInvoice(api: string, id: number): Promise<string> {
  return patient.submit.post(`${api}/invoices`, {
    callback: 'invoiceSent',
    json: { id },
    timeout: '5m',
    callbackArgs: { id },
  });
}

export const invoiceSent = defineCallback({
  async onComplete(response, { callbackArgs }) {
    await updateInvoice((callbackArgs as { id: number }).id, response.status);
  },
  onError(error) {
    log.warn(`${error.errorType}: ${error.message}`);
  },
});
// #endregion
