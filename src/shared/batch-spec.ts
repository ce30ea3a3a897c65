import { MAX_PAYLOAD_BYTES } from './constants.ts';
import { invalidRequest } from './errors.ts';
import { jsonBytes } from './text.ts';
import type { BatchSpec, KeepMode } from './wire.ts';

export const MAX_CHUNK_SIZE = 1000;
export const MAX_CHUNKS = 100;
/** Room for the envelopes of arguments and results. */
export const BATCH_RESERVE = 32 * 1024;
/** What the outcomes of a batch without a sink may take in its result, in bytes of JSON. */
export const MAX_OUTCOMES_BYTES = MAX_PAYLOAD_BYTES - BATCH_RESERVE;
/** The least that one outcome takes. */
const OUTCOME_BYTES = 300;

const FIELDS = Object.keys({
  requests: true,
  source: true,
  defaults: true,
  chunkSize: true,
  concurrency: true,
  keep: true,
  sink: true,
  callback: true,
  callbackArgs: true,
} satisfies Record<keyof BatchSpec, true>);

/** A batch whose own fields are right; its requests are validated one by one when they are sent. */
export type CheckedBatch = BatchSpec &
  Required<Pick<BatchSpec, 'chunkSize' | 'concurrency' | 'keep'>>;

/**
 * Reads a batch as workflow code can: before anything is sent.
 * @throws RequestError `InvalidRequestError` that names the field and its value
 */
export function checkBatch(given: unknown): CheckedBatch {
  if (!isRecord(given)) throw invalidRequest(`batch: expected an object, got ${describe(given)}`);
  const unknown = Object.keys(given).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) throw invalidRequest(`${unknown}: is not a field of a batch`);
  const batch = given as BatchSpec;
  const { requests, source, defaults } = batch;
  if ((requests === undefined) === (source === undefined)) {
    throw invalidRequest('requests: expected either requests or source');
  }
  if (requests !== undefined && !Array.isArray(requests)) {
    throw invalidRequest(`requests: expected an array, got ${describe(requests)}`);
  }
  if (source !== undefined) checkPlace('source', source);
  if (batch.sink !== undefined) checkPlace('sink', batch.sink);
  if (defaults !== undefined && !isRecord(defaults)) {
    throw invalidRequest(`defaults: expected an object, got ${describe(defaults)}`);
  }
  const keep = oneOf('keep', batch.keep ?? 'all', ['all', 'status', 'none']);
  checkRoom(batch, keep);
  return {
    ...batch,
    chunkSize: integer('chunkSize', batch.chunkSize ?? 200, MAX_CHUNK_SIZE),
    concurrency: integer('concurrency', batch.concurrency ?? 10, MAX_CHUNKS),
    keep,
  };
}

/** What cannot fit is refused before anything is sent. */
function checkRoom({ requests, sink }: BatchSpec, keep: KeepMode): void {
  if (sink !== undefined || keep === 'none') return;
  if (requests === undefined) {
    throw invalidRequest('sink: expected one for a source, or keep: "none"');
  }
  const most = Math.floor(MAX_OUTCOMES_BYTES / OUTCOME_BYTES);
  if (requests.length > most) {
    throw invalidRequest(
      `requests: the outcomes of ${requests.length} do not fit into a result, ${most} may; ` +
        'use a sink, or keep: "none"',
    );
  }
}

function checkPlace(field: string, value: unknown): void {
  const isFile = isRecord(value) && typeof value['file'] === 'string' && value['file'] !== '';
  const isActivity =
    isRecord(value) &&
    [value['activity'], value['taskQueue']].every(
      (name) => typeof name === 'string' && name !== '',
    );
  if (isFile === isActivity) {
    throw invalidRequest(
      `${field}: expected { file } or { activity, taskQueue }, got ${describe(value)}`,
    );
  }
}

function oneOf<T extends string>(field: string, value: unknown, choices: readonly T[]): T {
  if (choices.includes(value as T)) return value as T;
  throw invalidRequest(`${field}: expected ${choices.join(', ')}, got ${describe(value)}`);
}

function integer(field: string, value: unknown, most: number): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most) {
    return value as number;
  }
  throw invalidRequest(`${field}: expected an integer from 1 to ${most}, got ${describe(value)}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const MAX_VALUE = 100;

function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return jsonBytes(text) > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}
