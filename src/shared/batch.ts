import { RequestError } from './errors.ts';
import { wireError } from './failure.ts';
import { cutText, jsonBytes } from './text.ts';
import type { WireError, WireResponse } from './wire.ts';

/** What a chunk's activity says of one item. `null`: how it ended, without what is not kept. */
export type ItemResult =
  | { response: WireResponse | null }
  | { error: WireError | null }
  /** To be tried again in `retryIn` ms, as try `tries + 1`; untried when there is no error. */
  | { retryIn: number; tries: number; error?: WireError };

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
  return 'response' in item && item.response ? tooLarge(item.response, bytes) : undefined;
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

function tooLarge(response: WireResponse, bytes: number): ItemResult {
  const message =
    `HTTP ${response.status} response of ${bytes} bytes as JSON does not fit beside those of its ` +
    'batch: use a sink, a smaller chunkSize, or keep: "status"';
  const error = new RequestError('ResponseTooLargeError', message, { phase: 'sent', response });
  return { error: wireError(error, response) };
}
