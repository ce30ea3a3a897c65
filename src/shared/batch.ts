import { MAX_OUTCOMES_BYTES } from './batch-spec.ts';
import { RequestError } from './errors.ts';
import { wireError } from './failure.ts';
import type { HeldResponse } from './held-response.ts';
import { responseOf, type Outcome } from './outcome.ts';
import { cutText, jsonBytes } from './text.ts';
import type { WireError, WireResponse } from './wire.ts';
import type { BatchOutcome } from './wire-batch.ts';

/** What a chunk's activity says of one item. `null`: how it ended, without what is not kept. */
export type ItemResult =
  | { response: WireResponse | null }
  | { error: WireError | null }
  /** To be tried again in `retryIn` ms, as try `tries + 1`; untried when there is no error. */
  | { retryIn: number; tries: number; error?: WireError }
  /** It has ended, and waits to be collected: so many bytes of JSON did not fit into this result. */
  | { held: number };

/** Of an item that has ended, all there is. */
export function wholeResult(outcome: Outcome): ItemResult {
  return outcome.kind === 'error' ? { error: outcome.error } : { response: responseOf(outcome) };
}

/** What a batch reports of an item that has ended; undefined where that is not kept. */
export function outcomeOf(result: ItemResult): BatchOutcome | undefined {
  if ('response' in result && result.response) return { response: result.response };
  if ('error' in result && result.error) return { error: result.error };
  return undefined;
}

/** What is left of a response where its status is all that is kept. */
export function statusOnly(response: HeldResponse): WireResponse {
  return { ...response, headers: {}, body: null };
}

/** Of an error's message, where nothing else is left to give way. */
const SHORT_MESSAGE = 80;

/**
 * The items within `limit` bytes of JSON: the largest responses become `ResponseTooLargeError`,
 * which keeps their status, headers and the start of their body; if need be errors lose their
 * response, and then the end of their message. A list never fails for its size.
 */
export function fitItems<T>(items: readonly T[], limit: number): T[] {
  const fitted = [...items];
  let size = jsonBytes(items);
  for (const shorten of [withoutLargeBody, withoutResponse, withShortMessage]) {
    if (size <= limit) break;
    const bySize = fitted
      .map((item, index) => ({ index, bytes: jsonBytes(item) }))
      .toSorted((a, b) => b.bytes - a.bytes);
    for (const { index, bytes } of bySize) {
      const shorter = shorten(fitted[index] as ItemResult, bytes);
      if (!shorter) continue;
      fitted[index] = shorter as T;
      size += jsonBytes(shorter) - bytes;
      if (size <= limit) break;
    }
  }
  return fitted;
}

function withoutLargeBody(item: ItemResult, bytes: number): ItemResult | undefined {
  return 'response' in item && item.response ? tooMuchTogether(item.response, bytes) : undefined;
}

function withoutResponse(item: ItemResult): ItemResult | undefined {
  if (!('error' in item) || !item.error?.response) return undefined;
  const { response: _, ...error } = item.error;
  return { ...item, error };
}

function withShortMessage(item: ItemResult): ItemResult | undefined {
  if (!('error' in item) || !item.error) return undefined;
  return { ...item, error: { ...item.error, message: cutText(item.error.message, SHORT_MESSAGE) } };
}

/** In place of a response for which there is no room beside those of its batch. */
export function tooMuchTogether(response: WireResponse, bytes: number): ItemResult {
  const sink = bytes > MAX_OUTCOMES_BYTES ? 'a sink and a payloadStore' : 'a sink';
  const fault = `does not fit beside those of its batch: use ${sink}, or keep: "status"`;
  return tooLarge(response, bytes, fault);
}

/** In place of a response that does not fit into Temporal alone. */
export function tooLargeAlone(response: WireResponse, bytes: number): { error: WireError } {
  const fault =
    'is more than Temporal takes, 2 MB: set a payloadStore, or refuse it before it is read by maxResponseSize';
  return tooLarge(response, bytes, fault);
}

/** Of its body it keeps the start. */
function tooLarge(response: WireResponse, bytes: number, fault: string): { error: WireError } {
  const message = `HTTP ${response.status} response of ${bytes} bytes as JSON ${fault}`;
  const error = new RequestError('ResponseTooLargeError', message, { phase: 'sent', response });
  return { error: wireError(error, response) };
}
