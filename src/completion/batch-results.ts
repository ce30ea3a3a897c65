import type { HeldOutcomes } from '../liveness/held-outcomes.ts';
import type { BatchTask, ItemEnding, ItemReport } from '../processor/batch-task.ts';
import { excerpt } from '../processor/ending.ts';
import { bodyLength, isLarge, withoutBody, type HeldResponse } from '../shared/held-response.ts';
import type { Outcome } from '../shared/outcome.ts';
import {
  fitItems,
  tooLargeAlone,
  tooMuchTogether,
  wholeResult,
  type ItemResult,
} from '../shared/batch.ts';
import { MAX_OUTCOMES_BYTES } from '../shared/batch-spec.ts';
import { MAX_PAYLOAD_BYTES } from '../shared/constants.ts';
import { jsonBytes } from '../shared/text.ts';
import type { WireError } from '../shared/wire.ts';
import { payloadBytes, type ActivityRpc, type Payloads } from './activity-rpc.ts';
import { RESERVE } from './outcome.ts';

/** Bytes of JSON for all bodies, also where a payload store takes them: V8 has no string of 512 MiB. */
const MAX_TOGETHER = 256 * 1024 * 1024;
/** Bytes that a character can take in JSON. */
const LONGEST_ESCAPE = 6;
/** Bytes of what says that an outcome is held, and most of any other result without a response. */
const HELD_BYTES = 32;

type Batch = Pick<BatchTask, 'key' | 'reports' | 'maxBytes'>;
type Encode = Pick<ActivityRpc, 'encode'>;

export interface BatchResults {
  results: ItemResult[];
  payloads: Payloads;
}

/**
 * The results of a batch's items as Temporal takes them. What does not fit beside the others is held,
 * to be collected later; what would not fit into the result of the batch, or alone, gives way.
 */
export async function encodeResults(
  rpc: Encode,
  held: Pick<HeldOutcomes, 'hold'>,
  { key, reports, maxBytes }: Batch,
): Promise<BatchResults> {
  const limit = Math.min(maxBytes, MAX_PAYLOAD_BYTES - RESERVE);
  const encode = async (results: ItemResult[]): Promise<BatchResults> => {
    return { results, payloads: await rpc.encode(key, results) };
  };
  const given = givingWay(reports, maxBytes);
  if (largest(reports, MAX_TOGETHER).size === 0) {
    const all = await encode(reports.map((report) => given.get(report) ?? resultOf(report)));
    if (payloadBytes(all.payloads) <= limit) return all;
  }
  await hold(rpc, held, key, reports, limit, given);
  const rest = reports.map((report) => given.get(report) ?? resultOf(report));
  const some = await encode(rest);
  return payloadBytes(some.payloads) <= limit ? some : encode(fitItems(rest, limit));
}

/** What would not fit into the result of the batch. */
function givingWay(reports: ItemReport[], maxBytes: number): Map<ItemReport, ItemResult> {
  const bounded = reports.filter((report) => report.bounded);
  return new Map(
    [...largest(bounded, maxBytes)].map(([report, bytes]) => {
      const { response } = report.ending as ItemEnding & { kind: 'response' };
      return [report, tooMuchTogether(excerpt(response), bytes)];
    }),
  );
}

/** The largest responses for whose sake not all bodies are within `limit`, and their bytes. */
function largest(reports: ItemReport[], limit: number): Map<ItemReport, number> {
  const found = new Map<ItemReport, number>();
  const whole = reports.flatMap((report) => {
    const { ending, keep } = report;
    return ending.kind === 'response' && keep === 'all' ? [{ report, ...ending }] : [];
  });
  const characters = whole.reduce((sum, { response }) => sum + bodyLength(response), 0);
  if (LONGEST_ESCAPE * characters <= limit) return found;
  const sized = whole.map((each) => ({ ...each, bytes: bodyBytes(each.response) }));
  let size = sized.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { report, bytes } of sized.toSorted((a, b) => b.bytes - a.bytes)) {
    if (size <= limit) break;
    found.set(report, bytes);
    size -= bytes;
  }
  return found;
}

/** Holds the largest of what is reported in full, for all to be within `limit`; adds to `given`. */
async function hold(
  rpc: Encode,
  held: Pick<HeldOutcomes, 'hold'>,
  key: Batch['key'],
  reports: ItemReport[],
  limit: number,
  given: Map<ItemReport, ItemResult>,
): Promise<void> {
  const sized = reports.map((report, position) => {
    const result = given.get(report);
    return { report, position, bytes: result ? jsonBytes(result) : sizeOf(report) };
  });
  let size = sized.reduce((sum, { bytes }) => sum + bytes, 0);
  const outcomes = new Map<number, Outcome>();
  for (const { report, position, bytes } of sized.toSorted((a, b) => b.bytes - a.bytes)) {
    if (size <= limit) break;
    const { ending, keep, bounded } = report;
    if (bounded || keep !== 'all' || bytes <= HELD_BYTES) continue;
    if (ending.kind === 'returned' || ending.kind === 'retry') continue;
    size -= bytes - HELD_BYTES;
    if (ending.kind === 'response' && !(await fitsAlone(rpc, key, report, bytes))) {
      given.set(report, tooLargeAlone(excerpt(ending.response), bytes));
    } else {
      outcomes.set(position, ending);
      given.set(report, { held: bytes });
    }
  }
  if (outcomes.size > 0) await held.hold(key, outcomes);
}

/** What is larger as JSON may be compressed, or go to a payload store. */
async function fitsAlone(
  rpc: Encode,
  key: Batch['key'],
  report: ItemReport,
  bytes: number,
): Promise<boolean> {
  if (bytes <= MAX_OUTCOMES_BYTES) return true;
  const payloads = await rpc.encode(key, [resultOf(report)]);
  return payloadBytes(payloads) <= MAX_PAYLOAD_BYTES - RESERVE;
}

/** About the bytes that its result takes as JSON; no string is made of a large body for it. */
export function sizeOf(report: ItemReport): number {
  const { ending, keep } = report;
  if (ending.kind !== 'response' || keep !== 'all') return jsonBytes(resultOf(report));
  return jsonBytes({ response: withoutBody(ending.response) }) + bodyBytes(ending.response);
}

function bodyBytes({ body }: HeldResponse): number {
  return isLarge(body) ? body.jsonLength : jsonBytes(body);
}

/** What a chunk says of an item. */
export function resultOf({ ending, tries, keep }: ItemReport): ItemResult {
  switch (ending.kind) {
    case 'response':
    case 'encoded':
      if (keep === 'none') return { response: null };
      return wholeResult(ending);
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

/** What a result says that its item has failed with for good; of one that is not kept, nothing. */
export function errorIn(result: ItemResult): WireError | undefined {
  return 'error' in result && !('retryIn' in result) ? (result.error ?? undefined) : undefined;
}
