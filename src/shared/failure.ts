import { ERROR_WORDS, type FailureContext, type RequestError } from './errors.ts';
import { cutText, jsonBytes } from './text.ts';
import { redactUrl } from './url.ts';
import type { FailureDetail, WireError, WireResponse } from './wire.ts';

const MAX_BODY = 2048;
/** All in bytes of JSON. A request id holds a workflow id, of up to 1000. */
const MAX_MESSAGE = 600;
const MAX_URL = 300;
const MAX_REQUEST_ID = 1100;
const MAX_METHOD = 20;
/** Temporal drops the details of a pending failure above 4 KB; the rest is the failure's frame. */
const MAX_DETAIL = 3800;

/** They carry a session, or URLs with their query. */
const PRIVATE_HEADERS = new Set(['set-cookie', 'location', 'content-location', 'refresh', 'link']);

/** What workflow, callback and batch item learn of an error, in under 4 KB. */
export function wireError(error: RequestError, context: FailureContext): WireError {
  const detail: WireError = {
    type: error.type,
    errorType: ERROR_WORDS[error.type],
    message: cutText(error.message, MAX_MESSAGE),
    url: cutText(redactUrl(context.url), MAX_URL),
    method: cutText(context.method, MAX_METHOD),
    requestId: cutText(context.requestId, MAX_REQUEST_ID),
    durationMs: Math.round(context.durationMs),
    phase: error.phase,
    attempt: context.attempt,
  };
  if (error.response) {
    const room = MAX_DETAIL - jsonBytes(detail);
    detail.response = fitResponse(error.response, room);
  }
  return detail;
}

/** The failure's detail as it stands in `ApplicationFailure.details[0]`. */
export function failureDetail({ type: _type, ...detail }: WireError): FailureDetail {
  return detail;
}

/** The response within `room` bytes of JSON: the body gives way first, then headers, then ids. */
function fitResponse(response: WireResponse, room: number): NonNullable<FailureDetail['response']> {
  let fitted: NonNullable<FailureDetail['response']> = {
    ...response,
    headers: withoutPrivate(response.headers),
    url: cutText(redactUrl(response.url), MAX_URL),
    redirects: response.redirects.map(redactUrl),
  };
  if ((fitted.body?.length ?? 0) > MAX_BODY) fitted = withBody(fitted, MAX_BODY);
  if (jsonBytes({ ...fitted, body: '' }) > room / 2) {
    const requestId = cutText(fitted.requestId, 100);
    const headers = pick(fitted.headers);
    fitted = { ...fitted, requestId, headers, redirects: [], callbackArgs: null };
  }
  for (let size = MAX_BODY; jsonBytes(fitted) > room && size >= 1; size = Math.floor(size / 2)) {
    fitted = withBody(fitted, size);
  }
  return fitted;
}

function withoutPrivate(headers: WireResponse['headers']): WireResponse['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !PRIVATE_HEADERS.has(name)));
}

function withBody(
  response: NonNullable<FailureDetail['response']>,
  size: number,
): NonNullable<FailureDetail['response']> {
  if (response.body === null || response.body.length <= size) return response;
  // A cut inside a base64 quantum or a surrogate pair would not decode.
  const end = response.bodyEncoding === 'base64' ? size - (size % 4) : size;
  return { ...response, body: response.body.slice(0, end).toWellFormed(), bodyTruncated: true };
}

function pick(headers: WireResponse['headers']): WireResponse['headers'] {
  const kept: WireResponse['headers'] = {};
  for (const name of ['content-type', 'retry-after', 'date']) {
    const value = headers[name];
    if (typeof value === 'string') kept[name] = cutText(value, 100);
  }
  return kept;
}
