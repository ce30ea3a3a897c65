// #region
import { patient } from 'patient-http/workflow';

export async function priceAll(api: string, orders: string[]): Promise<Record<string, unknown>> {
  const requests = orders.map((order) => `${api}/price/${order}`);
  const { outcomes = [] } = await patient.batch(requests, { defaults: { timeout: '10m' } });
  const prices = outcomes.map((outcome) =>
    'response' in outcome ? outcome.response.json() : outcome.error.type,
  );
  return Object.fromEntries(orders.map((order, i) => [order, prices[i]]));
}
// #endregion
