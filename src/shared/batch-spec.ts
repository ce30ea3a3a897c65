import { checkCallback, checkSink, checkSource } from './batch-fields.ts';
import { MAX_PAYLOAD_BYTES } from './constants.ts';
import { invalidRequest } from './errors.ts';
import { looseSpec, type LooseSpec } from './loose-spec.ts';
import { checkBytes, checkCallbackArgs, sizeOf } from './spec-size.ts';
import { jsonBytes } from './text.ts';
import { describe, isRecord } from './values.ts';
import type { WireResponse } from './wire.ts';
import type { BatchSpec, KeepMode } from './wire-batch.ts';

export const MAX_CHUNK_SIZE = 1000;
export const DEFAULT_CHUNK_SIZE = 200;
export const MAX_CHUNKS = 100;
export const DEFAULT_CHUNKS = 10;
/** They go along with every chunk, and into every next run. */
const MAX_DEFAULTS_BYTES = 512 * 1024;
/** Bytes that they may take in a history which holds all chunks; with a sink a batch goes on in new ones. */
const MAX_ALL_DEFAULTS_BYTES = 8 * 1024 * 1024;
/** Temporal ends a workflow above 51,200 events; what is in flight then has to end in the rest. */
export const MAX_HISTORY_EVENTS = 40_000;
/** Of a chunk: its activity, one of its callbacks, and their workflow tasks. */
export const CHUNK_EVENTS = 12;
/** Room for the envelopes of arguments and results. */
export const BATCH_RESERVE = 32 * 1024;
/** What the outcomes of a batch without a sink may take in its result, in bytes of JSON. */
export const MAX_OUTCOMES_BYTES = MAX_PAYLOAD_BYTES - BATCH_RESERVE;
/** Bytes that an outcome takes at most where it is cut as short as can be; see `fitItems`. */
export const SHORTEST_OUTCOME = 360;

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
 * Reads a batch as workflow code can: before anything is sent. `requestId`: what the ids of its requests
 * begin with.
 * @throws RequestError `InvalidRequestError` that names the field and its value
 */
export function checkBatch(given: unknown, requestId = ''): CheckedBatch {
  if (!isRecord(given))
    throw invalidRequest(
      `batch: expected an object with requests or a source, got ${describe(given)}`,
    );
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
  if (source !== undefined) checkSource(source);
  if (batch.sink !== undefined) checkSink(batch.sink);
  if (source && batch.sink && 'file' in source && 'file' in batch.sink) {
    const { file } = batch.sink;
    if (isSamePath(file, source.file)) throw invalidRequest(`sink.file: ${file} is the source too`);
  }
  if (defaults !== undefined) checkDefaults(defaults);
  if (batch.callback !== undefined) checkCallback(batch.callback);
  checkCallbackArgs(batch);
  const keep = oneOf('keep', batch.keep ?? 'all', ['all', 'status', 'none']);
  checkRoom(batch, keep, requestId);
  const chunkSize = integer('chunkSize', batch.chunkSize ?? DEFAULT_CHUNK_SIZE, MAX_CHUNK_SIZE);
  if (batch.sink === undefined && keep !== 'none') checkHistory(batch, chunkSize);
  return {
    ...{ ...batch, chunkSize },
    concurrency: integer('concurrency', batch.concurrency ?? DEFAULT_CHUNKS, MAX_CHUNKS),
    keep,
  };
}

function checkDefaults(defaults: unknown): void {
  if (!isRecord(defaults)) {
    throw invalidRequest(`defaults: expected an object, got ${describe(defaults)}`);
  }
  const { requestId, idempotencyKey } = defaults;
  // A server takes requests with one key for one request.
  if (requestId !== undefined) {
    throw invalidRequest(`defaults.requestId: is each request's own, got ${describe(requestId)}`);
  }
  if (typeof idempotencyKey === 'string') {
    throw invalidRequest(
      `defaults.idempotencyKey: expected true, which makes each request a key of its own, got ` +
        describe(idempotencyKey),
    );
  }
  checkBytes('defaults', defaults, MAX_DEFAULTS_BYTES);
}

/** As far as their names say. */
function isSamePath(one: string, other: string): boolean {
  const parts = (path: string): string[] => {
    const left: string[] = [];
    for (const part of path.split('/')) {
      if (part === '..' && left.length > 0) left.pop();
      else if (part !== '' && part !== '.') left.push(part);
    }
    return left;
  };
  return parts(one).join('/') === parts(other).join('/');
}

/** What cannot fit is refused before anything is sent. */
function checkRoom({ requests, defaults, sink }: BatchSpec, keep: KeepMode, batchId: string): void {
  if (sink !== undefined || keep === 'none') return;
  if (requests === undefined) {
    throw invalidRequest('sink: expected one for a source, or keep: "none"');
  }
  let room = MAX_OUTCOMES_BYTES;
  for (const [index, spec] of requests.entries()) {
    room -= leastBytes({ ...defaults, ...looseSpec(spec) }, `${batchId}/${index}`);
    if (room >= 0) continue;
    throw invalidRequest(
      `requests: the outcomes of ${requests.length} do not fit into a result, ${index} may; ` +
        'use a sink, or keep: "none"',
    );
  }
}

/** Of its outcome in a result: a response has neither headers nor body then. */
function leastBytes({ url, requestId, callbackArgs }: LooseSpec, defaultId: string): number {
  const response = {
    ...{ status: 200, headers: {}, body: null, bodyEncoding: 'utf8', method: 'GET', redirects: [] },
    ...{ url, requestId: requestId ?? defaultId, durationMs: 0, attempt: 1 },
    callbackArgs: callbackArgs ?? null,
  } satisfies Record<keyof WireResponse, unknown>;
  // What cannot be written as JSON fails by itself.
  return Math.max(SHORTEST_OUTCOME, (sizeOf({ response }) ?? 0) + 1);
}

/** Where one history holds all chunks: each has its events, and the defaults go along with it. */
function checkHistory({ requests = [], defaults }: BatchSpec, chunkSize: number): void {
  const chunks = Math.ceil(requests.length / chunkSize);
  const most = Math.floor(MAX_HISTORY_EVENTS / CHUNK_EVENTS);
  if (chunks > most) {
    throw invalidRequest(
      `chunkSize: with ${chunkSize} it takes ${chunks} activities, ${most} may be in one history; ` +
        'use a larger one, or patientBatch with a sink',
    );
  }
  const bytes = chunks * jsonBytes(defaults);
  if (bytes <= MAX_ALL_DEFAULTS_BYTES) return;
  throw invalidRequest(
    `defaults: with each of ${chunks} chunks they take ${bytes} bytes, ${MAX_ALL_DEFAULTS_BYTES} may be; ` +
      'use a larger chunkSize, or a sink',
  );
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
