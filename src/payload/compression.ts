import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import type { Payload } from '@temporalio/common';
import { PayloadError } from '../shared/errors.ts';
import { fromBytes, payloadOf, textOf, toBytes, type Step } from './payload.ts';

const ENCODING = 'binary/zlib';
/** Below it, as with heartbeats, little is to be won. */
const LEAST = 512;
/** What is larger can be no text, so no JSON: V8 has no longer string. */
const MAX_INFLATED = 512 * 1024 * 1024;

const compress = promisify(deflate);
const decompress = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflate);

/** Compression as the zlib codec of Temporal's Go SDK has it, which leaves what it cannot shrink. */
export class Compression implements Step {
  readonly #enabled: boolean;

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  async wrap(payload: Payload): Promise<Payload> {
    if (!this.#enabled || (payload.data?.length ?? 0) < LEAST) return payload;
    const bytes = toBytes(payload);
    const data = await compress(bytes);
    return data.length < bytes.length ? payloadOf({ encoding: ENCODING }, data) : payload;
  }

  async unwrap(payload: Payload): Promise<Payload> {
    if (textOf(payload, 'encoding') !== ENCODING) return payload;
    const options = { maxOutputLength: MAX_INFLATED };
    const data = payload.data ?? new Uint8Array();
    const bytes = await decompress(data, options).catch((cause: unknown) => {
      throw new PayloadError(`A ${ENCODING} payload cannot be decompressed`, { cause });
    });
    return fromBytes(bytes);
  }
}
