// #region
import { patient } from 'patient-http/workflow';

export async function chargeOnce(api: string, order: string): Promise<string> {
  const charge = await patient.post(`${api}/charges`, {
    json: { order, amount: 1200 },
    headers: { authorization: { $secret: 'API_KEY', prefix: 'Bearer ' } },
    idempotencyKey: `charge-${order}`,
    raiseErrorResponses: true,
    timeout: '2m',
    deadline: '1h',
  });
  return charge.json<{ id: string }>().id;
}
// #endregion
