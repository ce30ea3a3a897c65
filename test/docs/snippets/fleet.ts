import type { Client } from '@temporalio/client';
// #region
import { openFleet, PatientClient } from 'patient-http';

// #endregion
export async function use(client: Client, redisUrl: string, taskQueue: string) {
  // #region
  await using fleet = await openFleet({ redisUrl, taskQueue });
  const { rows, matched, silent } = await fleet.requests({ text: '/reports', limit: 20 });
  for (const { key, age } of rows) {
    // An item of a batch that has just ended is refused.
    if (age > 1_000) await fleet.cancel(key).catch(console.warn);
  }

  const patient = new PatientClient({ client, taskQueue });
  const again: string[] = [];
  for (const { type, key } of await fleet.failures()) {
    // A redrive sends all of a batch once more: those of its items are another matter.
    if (type === 'ConnectionError' && key.index === undefined) {
      again.push(await patient.redrive(key.workflowId, key.runId));
    }
  }
  // #endregion
  return { matched, silent, again };
}
