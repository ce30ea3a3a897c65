// #region
import { patient, requestError } from 'patient-http/workflow';

export async function charge(api: string, order: string): Promise<string> {
  const payments = patient.extend({ baseUrl: api, timeout: '2m', raiseErrorResponses: true });
  try {
    await payments.post('charges', { json: { order } });
    return 'charged';
  } catch (failure) {
    if (requestError(failure)?.phase !== 'sent') throw failure;
    // It may have been processed, a 500 included: look before paying again.
    const charges = await payments.get('charges', { params: { order } });
    return charges.json<unknown[]>().length > 0 ? 'charged' : 'not charged';
  }
}
// #endregion
