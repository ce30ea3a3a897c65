import { encodeBody, prepareRequest } from '../http/prepare.ts';
import { retryAdvice } from '../http/retry-after.ts';
import type { SendHooks, Transport, TransportResponse } from '../processor/transport.ts';
import type { Method } from '../shared/constants.ts';
import { RequestError, type ErrorType } from '../shared/errors.ts';
import type { ResolvedRequest } from '../shared/resolved-request.ts';
import type { Json, Phase } from '../shared/wire.ts';

/** One try of a request, as it would go out. */
export interface TestRequest {
  method: Method;
  /** With its query, without parameters that are secrets. */
  url: string;
  /**
   * Lower-case names, with those that Patient HTTP adds. A secret is `[secret NAME]`;
   * preprocessors are not run.
   */
  headers: Record<string, string | string[]>;
  /** As UTF-8 text; null when it has none. */
  body: string | null;
  requestId: string;
  callbackArgs: Json;
}

/** A response in a test; what is left out is that of an empty 200. */
export interface TestResponse {
  status?: number;
  headers?: Record<string, string | string[]>;
  body?: string | null;
  /** In place of `body`; sets the content type too. */
  json?: unknown;
  /** How `body` is to be read. @default 'utf8' */
  bodyEncoding?: 'utf8' | 'base64';
  /** URLs visited before the last one. */
  redirects?: string[];
  /** The last URL. @default the request's */
  url?: string;
}

/** A try without a response in a test. Connection errors and timeouts are tried again. */
export interface TestError {
  error: Exclude<ErrorType, 'HttpStatusError' | 'CancelledError'>;
  message?: string;
  /** How far the try had come; what is `sent` is not sent again if it may not be. @default 'sent' */
  phase?: Phase;
}

/** Stands for every API: asked once per try. What it throws is an `UnknownError`. */
export type Respond = (
  request: TestRequest,
) => TestResponse | TestError | Promise<TestResponse | TestError>;

/** A transport without a network. */
export function answeringTransport(
  respond: Respond,
  { userAgent }: { userAgent: string },
): Transport {
  return {
    async send(request, { signal, beforeFirstByte, onSent }) {
      const asked = viewOf(request, userAgent);
      await beforeFirstByte?.();
      signal.throwIfAborted();
      onSent();
      const answer = await Promise.race([respond(asked), aborted(signal)]);
      if ('error' in answer) throw errorOf(answer, asked);
      return responseOf(answer, asked);
    },
    async close() {},
  };
}

function viewOf(request: ResolvedRequest, userAgent: string): TestRequest {
  const { url, method, headers, body } = prepareRequest(request, userAgent);
  for (const [name, { $secret, prefix = '' }] of Object.entries(request.secrets?.headers ?? {})) {
    headers[name] = `${prefix}[secret ${$secret}]`;
  }
  const { requestId, callbackArgs } = request;
  const text = body ? encodeBody(body).toString('utf8') : null;
  return { method, url: url.href, headers, body: text, requestId, callbackArgs };
}

function responseOf(answer: TestResponse, asked: TestRequest): TransportResponse {
  const { status = 200, bodyEncoding = 'utf8', redirects = [], url = asked.url } = answer;
  const headers: TransportResponse['headers'] = {};
  if (answer.json !== undefined) headers['content-type'] = 'application/json';
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    headers[name.toLowerCase()] = value;
  }
  const text = answer.json === undefined ? (answer.body ?? '') : JSON.stringify(answer.json);
  const bodiless = asked.method === 'HEAD' || status === 204 || status === 304;
  return {
    ...{ status, headers, bodyEncoding, url, redirects },
    body: bodiless ? null : text,
    method: asked.method,
    advice: retryAdvice(status, headers),
  };
}

function errorOf({ error, message, phase = 'sent' }: TestError, asked: TestRequest): RequestError {
  const [url] = asked.url.split('?');
  const transient = error === 'ConnectionError' || error === 'TimeoutError';
  return new RequestError(error, message ?? `${asked.method} ${url}: ${error} of the test`, {
    phase,
    transient,
  });
}

function aborted(signal: SendHooks['signal']): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
