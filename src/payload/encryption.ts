import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto';
import type { Payload } from '@temporalio/common';
import { PayloadError } from '../shared/errors.ts';
import { Frame, paced, piecesOf } from './bytes.ts';
import { fromBytes, messageOf, metadataOf, textOf, type Draft, type Step } from './payload.ts';

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
 * The first key encrypts, all of them decrypt, and what no key of ours opens is an error, unless
 * a codec of the user's may have the key.
 */
export class Encryption implements Step {
  readonly #keys: readonly EncryptionKey[];
  readonly #leavesOthers: boolean;

  constructor(keys: readonly EncryptionKey[], leavesOthers = false) {
    this.#keys = keys;
    this.#leavesOthers = leavesOthers;
  }

  async wrap(draft: Draft): Promise<Draft> {
    const [first] = this.#keys;
    if (!first) return draft;
    const message = messageOf(draft);
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv(CIPHER, first.key, nonce, { authTagLength: TAG });
    // In place where the plaintext is in a buffer of ours: each piece is read before it is written.
    const sealed = message instanceof Frame ? message : Frame.of(message.length);
    let at = 0;
    for await (const piece of paced(message.pieces())) {
      sealed.set(cipher.update(piece), at);
      at += piece.length;
    }
    cipher.final();
    return {
      metadata: metadataOf({ encoding: ENCODING, [KEY_ID]: first.id }),
      data: sealed.within(nonce, cipher.getAuthTag())!,
    };
  }

  async unwrap(payload: Payload): Promise<Payload> {
    if (textOf(payload, 'encoding') !== ENCODING) return payload;
    const id = textOf(payload, KEY_ID) ?? '';
    const found = this.#keys.find((key) => key.id === id);
    if (!found && this.#leavesOthers) return payload;
    if (!found) throw new PayloadError(`encryptionKeys: ${this.#lacks(id)}`);
    const data = payload.data ?? new Uint8Array();
    try {
      const nonce = data.subarray(0, NONCE);
      const decipher = createDecipheriv(CIPHER, found.key, nonce, { authTagLength: TAG });
      decipher.setAuthTag(data.subarray(-TAG));
      const sealed = data.subarray(NONCE, -TAG);
      const opened = Buffer.allocUnsafe(sealed.length);
      let at = 0;
      // Opened as a whole, it would be had twice more.
      for await (const piece of paced(piecesOf(sealed))) {
        opened.set(decipher.update(piece), at);
        at += piece.length;
      }
      // Of a stream cipher nothing is left to come, but for the word that nothing was changed.
      decipher.final();
      return fromBytes(opened);
    } catch (cause) {
      const message =
        `encryptionKeys: a payload does not open with key ${JSON.stringify(id)}; ` +
        'another key had this id when it was encrypted, or it was changed since';
      throw new PayloadError(message, { cause });
    }
  }

  #lacks(id: string): string {
    const name = JSON.stringify(id);
    const known = this.#keys.map((key) => JSON.stringify(key.id)).join(', ');
    const has = known === '' ? `none; add ${name}` : `${known}; add ${name} behind the first`;
    return `a payload is encrypted with key ${name}; this process has ${has}`;
  }
}
