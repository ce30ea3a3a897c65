import { createHmac } from 'node:crypto';
import type { FinalRequest, Preprocessor } from '../preprocessors.ts';

/** What is signed with what, and where the signature goes. */
export interface HmacSignerOptions {
  /** Name of the secret that is the key. */
  secret: string;
  /** @default 'x-signature' */
  header?: string;
  /** @default 'sha256' */
  algorithm?: 'sha256' | 'sha512';
  /** @default 'hex' */
  encoding?: 'hex' | 'base64';
  /** Put before the signature, e.g. `'sha256='`. @default '' */
  prefix?: string;
  /** What is signed. @default the body's bytes */
  content?: (request: FinalRequest) => string | Uint8Array;
}

/**
 * A preprocessor that signs requests with HMAC (RFC 2104).
 *
 * @example
 * // As GitHub signs its webhooks.
 * hmacSigner({ secret: 'HOOK_KEY', header: 'x-hub-signature-256', prefix: 'sha256=' });
 */
export function hmacSigner({
  secret: name,
  header = 'x-signature',
  algorithm = 'sha256',
  encoding = 'hex',
  prefix = '',
  content = ({ body }) => body,
}: HmacSignerOptions): Preprocessor {
  return async (request, { secret }) => {
    const hmac = createHmac(algorithm, await secret(name)).update(content(request));
    return { headers: { [header]: prefix + hmac.digest(encoding) } };
  };
}
