// #region
import { patient } from 'patient-http/workflow';

export async function priceOf(api: string, order: string): Promise<number> {
  const price = await patient.get(`${api}/price/${order}`, {
    headers: { authorization: { $secret: 'PRICE_KEY', prefix: 'Bearer ' } },
    timeout: '2m',
    raiseErrorResponses: true,
  });
  return price.json<{ amount: number }>().amount;
}
// #endregion
