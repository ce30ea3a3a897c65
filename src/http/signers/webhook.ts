import { createHmac, createPrivateKey, sign } from 'node:crypto';
import { RequestError } from '../../shared/errors.ts';
import type { Preprocessor } from '../preprocessors.ts';

/** The keys of a webhook, by the names of their secrets. */
export interface WebhookSignerOptions {
  /**
   * Names of the secrets that are keys: `whsec_…` signs with HMAC-SHA256 (v1), `whsk_…` with
   * ed25519 (v1a). While a key is being replaced, give the new and the old one.
   */
  secret: string | string[];
}

/** Before an ed25519 key of 32 bytes this makes PKCS #8 of it (RFC 8410 §7). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * A preprocessor that signs as Standard Webhooks 1.0.0 says. `webhook-id` is the request's own
 * header of that name, or else its request id, so it is the same at every try; the timestamp is
 * that of the try.
 */
export function webhookSigner({ secret: names }: WebhookSignerOptions): Preprocessor {
  return async ({ headers, body }, { secret }) => {
    const id = withoutDots(String(headers['webhook-id'] ?? headers['x-request-id']));
    const timestamp = String(Math.floor(Date.now() / 1000));
    const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
    const signatures = [names].flat().map(async (name) => {
      return signWith(name, await secret(name), content);
    });
    return {
      headers: {
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': (await Promise.all(signatures)).join(' '),
      },
    };
  };
}

/** What is signed is joined by dots, so an id has none. */
function withoutDots(id: string): string {
  if (!id.includes('.')) return id;
  return id.replaceAll('%', '%25').replaceAll('.', '%2E');
}

function signWith(name: string, secret: string, content: Buffer): string {
  const [, kind, encoded = ''] = /^(whsec|whsk)_(.+)$/.exec(secret) ?? [];
  const key = Buffer.from(encoded, 'base64');
  if (kind === 'whsec' && key.length >= 24 && key.length <= 64) {
    return `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
  }
  // The key alone, or its public half behind it.
  if (kind === 'whsk' && (key.length === 32 || key.length === 64)) {
    const der = Buffer.concat([PKCS8, key.subarray(0, 32)]);
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    return `v1a,${sign(null, content, privateKey).toString('base64')}`;
  }
  throw new RequestError(
    'PreprocessorError',
    `secret ${name}: expected whsec_ and 24 to 64 bytes, or whsk_ and an ed25519 key, in base64`,
  );
}
