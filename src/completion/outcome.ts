import type { RequestTask } from '../processor/task.ts';
import { MAX_PAYLOAD_BYTES } from '../shared/constants.ts';
import { RequestError } from '../shared/errors.ts';
import { wireError } from '../shared/failure.ts';
import type { Outcome } from '../shared/wire.ts';
import type { ActivityRpc, Payloads } from './activity-rpc.ts';
import { Turns } from './turns.ts';

/** Characters of a body from which encoding it is a matter of memory: it takes several copies. */
const LARGE = 1024 * 1024;
const LARGE_AT_ONCE = 4;

/** Of the process: it is its memory. */
const turns = new Turns(LARGE_AT_ONCE);

/** Room for what a callback's argument holds beside the response, ids and envelope. */
const RESERVE = 16 * 1024;

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
  rpc: Pick<ActivityRpc, 'encode'>,
  { key }: Pick<RequestTask, 'key'>,
  outcome: Outcome,
): Promise<EncodedOutcome> {
  if (outcome.kind === 'error') return { outcome, payloads: [] };
  const { response } = outcome;
  const encode = (): Promise<Payloads> => rpc.encode(key, response);
  const isLarge = (response.body?.length ?? 0) > LARGE;
  const payloads = await (isLarge ? turns.take(encode) : encode());
  const size = byteLength(payloads);
  const limit = MAX_PAYLOAD_BYTES - RESERVE - byteLengthOf(response.callbackArgs);
  if (size <= limit) return { outcome, payloads };
  const error = new RequestError(
    'ResponseTooLargeError',
    `HTTP ${response.status} response of ${size} bytes as JSON is above the ${limit} bytes ` +
      'that fit into Temporal; lower maxResponseSize or keep large bodies out of the response',
    { phase: 'sent' },
  );
  return { outcome: { kind: 'error', error: wireError(error, response) }, payloads: [] };
}

function byteLength(payloads: Payloads): number {
  return payloads.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
}

function byteLengthOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value ?? null));
}
