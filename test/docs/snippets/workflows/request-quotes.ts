// #region
import { log } from '@temporalio/workflow';
import { defineCallback, patient } from 'patient-http/workflow';

export async function requestQuotes(suppliers: string[], article: string): Promise<string[]> {
  const ids = suppliers.map((url) =>
    patient.submit.get(url, {
      params: { article },
      timeout: '10m',
      callback: 'quoteReceived',
      callbackArgs: { article },
      result: 'none',
    }),
  );
  return Promise.all(ids);
}

export const quoteReceived = defineCallback({
  onComplete(response, { callbackArgs }) {
    log.info('quote', { status: response.status, callbackArgs });
  },
  onError(error, { requestId }) {
    log.warn('no quote', { type: error.type, requestId });
  },
});
// #endregion
