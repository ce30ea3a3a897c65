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

/** Bytes of an error's message, and of its URL and its request id, where room is short. */
const SHORT_MESSAGE = 60;
const SHORT_NAME = 40;

/**
 * The items within `limit` bytes of JSON: the largest responses become `ResponseTooLargeError`,
 * which keeps their status, headers and the start of their body. If that is not enough, errors lose
 * more and more of what they say, and the status of their response last. Items of a batch that was
 * let through always fit: see `SHORTEST_OUTCOME`.
 */
export function fitItems<T>(items: readonly T[], limit: number): T[] {
  const fitted = [...items];
  const bytes = items.map(jsonBytes);
  const errors: (WireError | undefined)[] = [];
  let size = jsonBytes(items);
  for (const form of [asItIs, withStatusAlone, withShortTexts, withoutResponse]) {
    if (size <= limit) break;
    for (const index of [...bytes.keys()].toSorted((a, b) => bytes[b]! - bytes[a]!)) {
      if (size <= limit) break;
      const item = items[index] as ItemResult;
      const error = (errors[index] ??= errorFor(item, bytes[index]!));
      if (!error) continue;
      const shorter = 'error' in item ? { ...item, error: form(error) } : { error: form(error) };
      const saved = bytes[index]! - jsonBytes(shorter);
      // A small response takes less than the error in place of it.
      if (saved <= 0) continue;
      fitted[index] = shorter as T;
      bytes[index]! -= saved;
      size -= saved;
    }
  }
  return fitted;
}

/** An item's own, or the one in place of its response. */
function errorFor(item: ItemResult, bytes: number): WireError | undefined {
  if ('response' in item && item.response) return tooMuchTogether(item.response, bytes).error;
  return ('error' in item && item.error) || undefined;
}

function asItIs(error: WireError): WireError {
  return error;
}

function withStatusAlone(error: WireError): WireError {
  const { response } = error;
  if (!response) return error;
  const { body, bodyTruncated = Boolean(body) } = response;
  const nothing = { headers: {}, redirects: [], callbackArgs: null, body: body && '' };
  return {
    ...error,
    response: { ...response, ...nothing, ...(bodyTruncated && { bodyTruncated }) },
  };
}

function withShortTexts(given: WireError): WireError {
  const { response, ...error } = withStatusAlone(given);
  return {
    ...{ ...error, ...shortNames(error), message: cutText(error.message, SHORT_MESSAGE) },
    ...(response && { response: { ...response, ...shortNames(response) } }),
  };
}

function shortNames({ url, requestId }: { url: string; requestId: string }) {
  return { url: cutText(url, SHORT_NAME), requestId: cutText(requestId, SHORT_NAME) };
}

function withoutResponse(given: WireError): WireError {
  const { response: _, ...error } = withShortTexts(given);
  return error;
}

/** In place of a response for which there is no room beside those of its batch. */
export function tooMuchTogether(response: WireResponse, bytes: number): { error: WireError } {
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
