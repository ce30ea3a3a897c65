import type { BatchTask, ItemReport } from '../processor/batch-task.ts';
import { fitItems, type ItemResult } from '../shared/batch.ts';
import { MAX_PAYLOAD_BYTES } from '../shared/constants.ts';
import type { ActivityRpc, Payloads } from './activity-rpc.ts';

/** Room for the envelope. */
const RESERVE = 16 * 1024;

/** The results of a batch's items as Temporal takes them: what does not fit gives way, item by item. */
export async function encodeResults(
  rpc: Pick<ActivityRpc, 'encode'>,
  batch: BatchTask,
): Promise<Payloads> {
  const results = resultsOf(batch);
  const limit = Math.min(batch.maxBytes, MAX_PAYLOAD_BYTES - RESERVE);
  const payloads = await rpc.encode(batch.key, results);
  if (byteLength(payloads) <= limit) return payloads;
  return rpc.encode(batch.key, fitItems(results, limit));
}

export function resultsOf(batch: BatchTask): ItemResult[] {
  return batch.reports.map(resultOf);
}

function resultOf({ ending, tries, keep }: ItemReport): ItemResult {
  switch (ending.kind) {
    case 'response': {
      if (keep === 'none') return { response: null };
      const { response } = ending;
      return { response: keep === 'all' ? response : { ...response, headers: {}, body: null } };
    }
    case 'error':
      return { error: keep === 'none' ? null : ending.error };
    case 'retry':
      return { retryIn: ending.delay, tries: tries + 1, error: ending.error };
    case 'returned':
      return { retryIn: ending.delay, tries };
    default: {
      const never: never = ending;
      return never;
    }
  }
}

function byteLength(payloads: Payloads): number {
  return payloads.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
}
