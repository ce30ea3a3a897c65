import type { RequestTask } from '../processor/task.ts';
import { MAX_PAYLOAD_BYTES } from '../shared/constants.ts';
import { RequestError } from '../shared/errors.ts';
import { wireError } from '../shared/failure.ts';
import type { Outcome } from '../shared/wire.ts';
import type { ActivityRpc, Payloads } from './activity-rpc.ts';

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
  const payloads = await rpc.encode(key, response);
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
