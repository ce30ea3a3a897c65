// #region
import { patient } from 'patient-http/workflow';

export async function notify(endpoint: string): Promise<number> {
  const { status } = await patient.post(endpoint, {
    json: { event: 'order.paid' },
    headers: { authorization: { $secret: 'API_KEY', prefix: 'Bearer ' } },
    idempotencyKey: true,
  });
  return status;
}
// #endregion
