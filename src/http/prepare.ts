import zlib from 'node:zlib';
import type { Method } from '../shared/constants.ts';
import { headerSafe } from '../shared/request-id.ts';
import type { RequestBody, RequestSecrets, ResolvedRequest } from '../shared/resolved-request.ts';
import type { Scalar } from '../shared/wire.ts';
import { encodeMultipart, multipartBoundary, type MultipartBody } from './multipart.ts';

export type Headers = Record<string, string | string[]>;

/** Until it is sent; `bytes` is what preprocessors have seen or made. */
export type PreparedBody =
  | Exclude<RequestBody, { kind: 'multipart' }>
  | MultipartBody
  | { kind: 'bytes'; value: Uint8Array };

/**
 * One request as it goes on the wire, but for what `finishRequest` puts in at each send. A hop of
 * a redirect chain is another one.
 */
export interface PreparedRequest {
  url: URL;
  method: Method;
  headers: Headers;
  body: PreparedBody | undefined;
  secrets: RequestSecrets | undefined;
  preprocessors: readonly string[];
}

const ACCEPT_ENCODING = ['gzip', 'deflate', 'br', ...('zstdDecompress' in zlib ? ['zstd'] : [])];

export function prepareRequest(request: ResolvedRequest, userAgent: string): PreparedRequest {
  const { method, secrets, preprocessors } = request;
  const headers: Headers = { ...request.headers };
  headers['x-request-id'] = headerSafe(request.requestId);
  if (request.idempotencyKey !== undefined) headers['idempotency-key'] = request.idempotencyKey;
  headers['user-agent'] ??= userAgent;
  headers['accept-encoding'] ??= ACCEPT_ENCODING.join(', ');
  const body = request.body && prepareBody(request.body);
  const contentType = body && contentTypeOf(body);
  if (contentType !== undefined) headers['content-type'] ??= contentType;
  return { url: requestUrl(request), method, headers, body, secrets, preprocessors };
}

function prepareBody(body: RequestBody): PreparedBody {
  if (body.kind !== 'multipart') return body;
  return { kind: 'multipart', parts: body.value, boundary: multipartBoundary() };
}

function contentTypeOf(body: PreparedBody): string | undefined {
  switch (body.kind) {
    case 'text':
      return 'text/plain; charset=utf-8';
    case 'json':
      return 'application/json';
    case 'form':
      return 'application/x-www-form-urlencoded';
    case 'multipart':
      return `multipart/form-data; boundary=${body.boundary}`;
    case 'base64':
    case 'bytes':
      return undefined;
  }
}

/** The body's bytes, encoded when they are needed so that a waiting request holds no copy. */
export function encodeBody(body: PreparedBody): Buffer {
  switch (body.kind) {
    case 'text':
      return Buffer.from(body.value, 'utf8');
    case 'json':
      return Buffer.from(JSON.stringify(body.value) ?? 'null', 'utf8');
    case 'form':
      return Buffer.from(encodeForm(body.value), 'latin1');
    case 'multipart':
      return encodeMultipart(body);
    case 'base64':
      return Buffer.from(body.value, 'base64');
    case 'bytes':
      return Buffer.from(body.value);
  }
}

function requestUrl(request: ResolvedRequest): URL {
  return appendParams(new URL(request.url), request.params);
}

/** Sets no more than the query, behind what is there. */
export function appendParams(url: URL, params: Record<string, Scalar | Scalar[]>): URL {
  const query = encodeForm(params);
  if (query !== '') url.search = url.search === '' ? query : `${url.search}&${query}`;
  return url;
}

/** application/x-www-form-urlencoded; an array repeats its key, `null` is a bare key. */
function encodeForm(fields: Record<string, Scalar | Scalar[]>): string {
  const pairs: string[] = [];
  for (const [key, values] of Object.entries(fields)) {
    const name = encodeComponent(key);
    for (const value of Array.isArray(values) ? values : [values]) {
      pairs.push(value === null ? name : `${name}=${encodeComponent(String(value))}`);
    }
  }
  return pairs.join('&');
}

function encodeComponent(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}
