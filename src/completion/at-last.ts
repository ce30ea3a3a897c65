import type { BatchTask, ItemReport } from '../processor/batch-task.ts';
import { fitItems, type ItemResult } from '../shared/batch.ts';
import { MAX_PAYLOAD_BYTES } from '../shared/constants.ts';
import { jsonBytes } from '../shared/text.ts';
import { payloadBytes, type ActivityRpc } from './activity-rpc.ts';
import { resultOf, sizeOf, type BatchResults } from './batch-results.ts';
import { unencodable } from './failure.ts';
import { MAX_KEPT, RESERVE } from './outcome.ts';

type Batch = Pick<BatchTask, 'key' | 'items' | 'reports' | 'maxBytes' | 'late'>;

/**
 * The results of a chunk that nobody waits any longer for the payload store or a codec with. What fits
 * into Temporal without the store, and what the codec takes, is delivered. Of the rest, when the process
 * ends, another sends again what may be; a response that may not be asked for again is as much of it as
 * a failure holds.
 */
export async function encodeAtLast(
  rpc: Pick<ActivityRpc, 'encodeWithoutStore'>,
  batch: Batch,
  cause: unknown,
): Promise<BatchResults> {
  const { key, reports, late } = batch;
  const encode = async (results: ItemResult[]): Promise<BatchResults> => {
    return { results, payloads: await rpc.encodeWithoutStore(key, results) };
  };
  const limit = Math.min(batch.maxBytes, MAX_PAYLOAD_BYTES - RESERVE);
  const sized = reports.map((report, position) => ({ report, position, bytes: sizeOf(report) }));
  let size = sized.reduce((sum, { bytes }) => sum + bytes, 0);
  const untaken = new Set<ItemReport>();
  if (size <= MAX_KEPT) {
    const results = reports.map(resultOf);
    const tryEncode = (value: unknown) =>
      rpc.encodeWithoutStore(key, value).catch((): undefined => undefined);
    const payloads = await tryEncode(results);
    if (payloads && payloadBytes(payloads) <= limit) return { results, payloads };
    // One that a codec stumbles over must not cost the others theirs.
    const alone = payloads ? [] : await Promise.all(results.map(tryEncode));
    for (const [position, taken] of alone.entries()) if (!taken) untaken.add(reports[position]!);
  }
  const largest = sized.toSorted((a, b) => b.bytes - a.bytes);
  const given = new Map<ItemReport, ItemResult>();
  const giveWay = (instead: (report: ItemReport, position: number) => ItemResult | undefined) => {
    for (const { report, position, bytes } of largest) {
      if (size <= limit && !untaken.has(report)) continue;
      const shorter = given.has(report) ? undefined : instead(report, position);
      if (!shorter) continue;
      given.set(report, shorter);
      size += jsonBytes(shorter) - bytes;
    }
  };
  if (late === 'returned' || late === 'given-up') {
    giveWay(({ ending, tries }, position) => {
      const item = batch.items[position]!;
      const isAgain = 'request' in item && item.request.resendable;
      return isAgain && ending.kind === 'response' ? { retryIn: 0, tries } : undefined;
    });
  }
  giveWay(({ ending }, position) => {
    if (ending.kind !== 'response') return undefined;
    const item = batch.items[position]!;
    if ('request' in item) item.lost = true;
    return { error: unencodable(ending.response, cause, late) };
  });
  const rest = reports.map((report) => given.get(report) ?? resultOf(report));
  const some = await encode(rest);
  return payloadBytes(some.payloads) <= limit ? some : encode(fitItems(rest, limit));
}
