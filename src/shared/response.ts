import { decodeBase64 } from './base64.ts';
import type { Method } from './constants.ts';
import type { Json, WireResponse } from './wire.ts';

/**
 * A response with the helpers of fetch's `Response`; they do not wait, the body is all there.
 * It is plain data under JSON: returning one from a workflow gives its wire form.
 */
export class PatientResponse implements WireResponse {
  declare readonly status: number;
  declare readonly headers: Record<string, string | string[]>;
  declare readonly body: string | null;
  declare readonly bodyEncoding: 'utf8' | 'base64';
  declare readonly url: string;
  declare readonly method: Method;
  declare readonly redirects: string[];
  declare readonly requestId: string;
  declare readonly durationMs: number;
  declare readonly attempt: number;
  declare readonly callbackArgs: Json;

  constructor(wire: WireResponse) {
    Object.assign(this, wire);
  }

  /** A status from 200 to 299. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /** The body as text; a binary one is read as UTF-8. Empty when there is no body. */
  text(): string {
    if (this.body === null) return '';
    return this.bodyEncoding === 'utf8' ? this.body : new TextDecoder().decode(this.bytes());
  }

  /** The parsed body. @throws SyntaxError that names the request, never the body. */
  json<T = unknown>(): T {
    try {
      return JSON.parse(this.text()) as T;
    } catch (cause) {
      const type = String(this.headers['content-type'] ?? 'no content type');
      throw new SyntaxError(
        `Body of ${this.method} response ${this.status} (${type}) is not JSON`,
        {
          cause,
        },
      );
    }
  }

  /** The body as bytes; empty when there is none. */
  bytes(): Uint8Array {
    if (this.body === null) return new Uint8Array();
    return this.bodyEncoding === 'utf8'
      ? new TextEncoder().encode(this.body)
      : decodeBase64(this.body);
  }
}

/** The helpers around a response that came as plain JSON, e.g. from a child workflow. */
export function toResponse(wire: WireResponse): PatientResponse {
  return new PatientResponse(wire);
}
