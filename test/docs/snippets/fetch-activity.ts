// #region
import { ApplicationFailure } from '@temporalio/common';

export async function fetchPrice(api: string, order: string): Promise<{ amount: number }> {
  const response = await fetch(`${api}/price/${order}`, {
    headers: { authorization: `Bearer ${process.env.PRICE_KEY}` },
    signal: AbortSignal.timeout(120_000),
  });
  if (response.status >= 400 && response.status < 500)
    throw ApplicationFailure.nonRetryable(`HTTP ${response.status}`);
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return (await response.json()) as { amount: number };
}
// #endregion
