// #region
import { patient, requestError } from 'patient-http/workflow';

export async function charge(api: string, order: string): Promise<string> {
  try {
    const { ok } = await patient.post(`${api}/charges`, { json: { order }, timeout: '2m' });
    return ok ? 'charged' : 'declined';
  } catch (failure) {
    if (requestError(failure)?.phase !== 'sent') throw failure;
    // It may have been processed: ask before paying again.
    const { ok } = await patient.get(`${api}/charges/${order}`);
    return ok ? 'charged' : 'not charged';
  }
}
// #endregion
