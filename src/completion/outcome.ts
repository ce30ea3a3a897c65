import type { RequestTask } from '../processor/task.ts';
import type { EncodedResponse } from '../shared/activities.ts';
import { MAX_PAYLOAD_BYTES } from '../shared/constants.ts';
import { RequestError } from '../shared/errors.ts';
import { wireError } from '../shared/failure.ts';
import {
  bodyLength,
  isLarge,
  withoutBody,
  wireResponse,
  type HeldResponse,
  type LargeBody,
  type LargeJson,
} from '../shared/held-response.ts';
import { fromJson, toJson } from '../shared/json-payload.ts';
import type { Outcome, Settled } from '../shared/outcome.ts';
import { payloadBytes, type ActivityRpc, type Payloads } from './activity-rpc.ts';
import { Turns } from '../shared/turns.ts';

/** Characters of a body from which encoding it is a matter of memory. */
const LARGE = 1024 * 1024;
const LARGE_AT_ONCE = 4;

/** Of the process: it is its memory. What is kept waits for nobody whose store does not answer. */
const turns = { deliver: new Turns(LARGE_AT_ONCE), keep: new Turns(LARGE_AT_ONCE) };

/** Room for what an argument or result holds beside responses: ids and envelope. */
export const RESERVE = 16 * 1024;

/** Larger bodies are kept in this process alone while the payload store is away: Redis is memory too. */
export const MAX_KEPT = 16 * 1024 * 1024;

/** Whether it may be kept as a whole. */
export function isKept(settled: Settled): boolean {
  return settled.kind !== 'response' || bodyLength(settled.response) <= MAX_KEPT;
}

/** Bytes of payloads that workflow code hands on: with a store, they are ids. */
const MAX_HANDED_ON = 1024 * 1024;

export type Encoder = Pick<ActivityRpc, 'encode' | 'encodeLarge'>;

export interface EncodedOutcome {
  outcome: Outcome;
  /** Of a response. */
  payloads: Payloads;
}

/**
 * The outcome as Temporal takes it. Above its limit the server would fail the activity after a
 * successful complete, so a response that does not fit becomes a clear failure before the call.
 */
export async function encodeOutcome(
  rpc: Encoder,
  task: Pick<RequestTask, 'key'> & Partial<Pick<RequestTask, 'handsOn'>>,
  outcome: Outcome,
): Promise<EncodedOutcome> {
  if (outcome.kind === 'error') return { outcome, payloads: [] };
  if (outcome.kind === 'encoded') return { outcome, payloads: [fromJson(outcome.result)] };
  const { response } = outcome;
  const encode = (): Promise<Payloads> => encodeResponse(rpc, task, response);
  const length = bodyLength(response);
  const payloads = await inTurn('deliver', outcome, encode);
  const size = payloadBytes(payloads);
  const limit = MAX_PAYLOAD_BYTES - RESERVE - byteLengthOf(response.callbackArgs);
  // What is kept from now on is what takes less: its body is in the store, say.
  if (size < length && size <= limit) {
    const result = toJson(payloads[0]!);
    return { outcome: { kind: 'encoded', response: withoutBody(response), result }, payloads };
  }
  if (size <= limit) return { outcome, payloads };
  const error = new RequestError(
    'ResponseTooLargeError',
    `HTTP ${response.status} response of ${size} bytes as JSON is above the ${limit} bytes ` +
      'that fit into Temporal; set payloadStore or lower maxResponseSize',
    { phase: 'sent' },
  );
  const context = withoutBody(response);
  return { outcome: { kind: 'error', error: wireError(error, context) }, payloads: [] };
}

/** Few large responses are encoded at once. */
export function inTurn<T>(
  purpose: keyof typeof turns,
  settled: Settled,
  encode: () => Promise<T>,
): Promise<T> {
  const isBig = settled.kind === 'response' && bodyLength(settled.response) > LARGE;
  return isBig ? turns[purpose].take(encode) : encode();
}

async function encodeResponse(
  rpc: Encoder,
  { key, handsOn }: Parameters<typeof encodeOutcome>[1],
  response: HeldResponse,
): Promise<Payloads> {
  const { body } = response;
  const { encodeLarge } = rpc;
  if (!isLarge(body) || !encodeLarge) return rpc.encode(key, wireResponse(response));
  const json = jsonOf(response, body);
  // What can be kept in Redis while the store is away must still be had then.
  const isLast = bodyLength(response) > MAX_KEPT && !(handsOn?.result && handsOn.callback);
  if (!handsOn) return [await encodeLarge({ ...json, isLast })];
  const encoded: EncodedResponse['encoded'] = {};
  if (handsOn.result) encoded.result = toJson(await encodeLarge({ ...json, isLast }));
  if (handsOn.callback) {
    const argument = argumentOf(response, json, handsOn.callback);
    encoded.callback = toJson(await encodeLarge({ ...argument, isLast }));
  }
  const value: EncodedResponse = { encoded, response: withoutBody(response) };
  const isSmall = byteLengthOf(value) <= MAX_HANDED_ON;
  if (isSmall || (isLast && !encoded.result)) return rpc.encode(key, value);
  // Without a store: compressed, and still so large that it is better there once.
  return [encoded.result ? fromJson(encoded.result) : await encodeLarge({ ...json, isLast })];
}

type Json = Omit<LargeJson, 'isLast'>;

function jsonOf(response: HeldResponse, body: LargeBody): Json {
  const { body: _, ...rest } = response;
  return { before: `${JSON.stringify(rest).slice(0, -1)},"body":"`, body, after: '"}' };
}

/** The callback's argument, as the workflow would make it. */
function argumentOf(
  response: HeldResponse,
  { before, body, after }: Json,
  request: NonNullable<NonNullable<RequestTask['handsOn']>['callback']>,
): Json {
  const { requestId, callbackArgs } = response;
  const rest = { requestId, outcome: 'response', callbackArgs, request };
  return {
    before: `${JSON.stringify(rest).slice(0, -1)},"response":${before}`,
    body,
    after: `${after}}`,
  };
}

function byteLengthOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value ?? null));
}
