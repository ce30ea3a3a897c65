import zlib from 'node:zlib';
import type { Method } from '../shared/constants.ts';
import { headerSafe } from '../shared/request-id.ts';
import type { RequestBody, ResolvedRequest } from '../shared/resolved-request.ts';
import type { Scalar } from '../shared/wire.ts';

export type Headers = Record<string, string | string[]>;

/** One request as it goes on the wire. A hop of a redirect chain is another one. */
export interface PreparedRequest {
  url: URL;
  method: Method;
  headers: Headers;
  body: RequestBody | undefined;
}

const ACCEPT_ENCODING = ['gzip', 'deflate', 'br', ...('zstdDecompress' in zlib ? ['zstd'] : [])];

const CONTENT_TYPES = {
  text: 'text/plain; charset=utf-8',
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
  base64: undefined,
} as const satisfies Record<RequestBody['kind'], string | undefined>;

export function prepareRequest(request: ResolvedRequest, userAgent: string): PreparedRequest {
  const { method, body } = request;
  const headers: Headers = { ...request.headers };
  headers['x-request-id'] = headerSafe(request.requestId);
  if (request.idempotencyKey !== undefined) headers['idempotency-key'] = request.idempotencyKey;
  headers['user-agent'] ??= userAgent;
  headers['accept-encoding'] ??= ACCEPT_ENCODING.join(', ');
  const contentType = body && CONTENT_TYPES[body.kind];
  if (contentType !== undefined) headers['content-type'] ??= contentType;
  return { url: requestUrl(request), method, headers, body };
}

/** The body's bytes, encoded when they are needed so that a waiting request holds no copy. */
export function encodeBody(body: RequestBody): Buffer {
  switch (body.kind) {
    case 'text':
      return Buffer.from(body.value, 'utf8');
    case 'json':
      return Buffer.from(JSON.stringify(body.value) ?? 'null', 'utf8');
    case 'form':
      return Buffer.from(encodeForm(body.value), 'latin1');
    case 'base64':
      return Buffer.from(body.value, 'base64');
  }
}

function requestUrl(request: ResolvedRequest): URL {
  const url = new URL(request.url);
  const query = encodeForm(request.params);
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
