import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto';
import type { Payload } from '@temporalio/common';
import { PayloadError } from '../shared/errors.ts';
import { fromBytes, payloadOf, textOf, toBytes, type Step } from './payload.ts';

const ENCODING = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const CIPHER = 'aes-256-gcm';
/** Bytes (NIST SP 800-38D, 8.2.2: random nonces of 96 bits). */
const NONCE = 12;
const TAG = 16;

export interface EncryptionKey {
  id: string;
  key: KeyObject;
}

/**
 * Encryption in the form of Temporal's samples: nonce, ciphertext and tag of the serialized payload.
 * The first key encrypts, all of them decrypt, and what no key of ours opens is an error.
 */
export class Encryption implements Step {
  readonly #keys: readonly EncryptionKey[];

  constructor(keys: readonly EncryptionKey[]) {
    this.#keys = keys;
  }

  wrap(payload: Payload): Payload {
    const [first] = this.#keys;
    if (!first) return payload;
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv(CIPHER, first.key, nonce, { authTagLength: TAG });
    const sealed = [nonce, cipher.update(toBytes(payload)), cipher.final(), cipher.getAuthTag()];
    return payloadOf({ encoding: ENCODING, [KEY_ID]: first.id }, Buffer.concat(sealed));
  }

  unwrap(payload: Payload): Payload {
    if (textOf(payload, 'encoding') !== ENCODING) return payload;
    const id = textOf(payload, KEY_ID) ?? '';
    const found = this.#keys.find((key) => key.id === id);
    if (!found) throw new PayloadError(`encryptionKeys: ${this.#lacks(id)}`);
    const data = payload.data ?? new Uint8Array();
    try {
      const nonce = data.subarray(0, NONCE);
      const decipher = createDecipheriv(CIPHER, found.key, nonce, { authTagLength: TAG });
      decipher.setAuthTag(data.subarray(-TAG));
      const opened = decipher.update(data.subarray(NONCE, -TAG));
      return fromBytes(Buffer.concat([opened, decipher.final()]));
    } catch (cause) {
      const message =
        `encryptionKeys: a payload does not open with key ${JSON.stringify(id)}; ` +
        'another key had this id when it was encrypted, or it was changed since';
      throw new PayloadError(message, { cause });
    }
  }

  #lacks(id: string): string {
    const known = this.#keys.map((key) => JSON.stringify(key.id)).join(', ') || 'none';
    return `a payload is encrypted with key ${JSON.stringify(id)}; this process has ${known}`;
  }
}
