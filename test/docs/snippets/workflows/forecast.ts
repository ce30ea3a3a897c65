// #region
import { patient } from 'patient-http/workflow';

export async function forecast(api: string): Promise<unknown[]> {
  const weather = patient.extend({
    baseUrl: `${api}/v1`,
    headers: { accept: 'application/json' },
    timeout: '2m',
    raiseErrorResponses: true,
  });
  const days = await Promise.all(['today', 'tomorrow'].map((day) => weather.get(day)));
  return days.map((day) => day.json());
}
// #endregion
