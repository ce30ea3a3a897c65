import { once } from 'node:events';
import { promisify } from 'node:util';
import { createDeflate, inflate } from 'node:zlib';
import type { Payload } from '@temporalio/common';
import { PayloadError } from '../shared/errors.ts';
import { Frame, paced, type Bytes } from './bytes.ts';
import { fromBytes, messageOf, metadataOf, textOf, type Draft, type Step } from './payload.ts';

const ENCODING = 'binary/zlib';
/** Below it, as with heartbeats, little is to be won. */
const LEAST = 512;
/** What is larger can be no text, so no JSON: V8 has no longer string. */
const MAX_INFLATED = 512 * 1024 * 1024;

const decompress = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(inflate);

/** Compression as the zlib codec of Temporal's Go SDK has it, which leaves what it cannot shrink. */
export class Compression implements Step {
  readonly #enabled: boolean;

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  async wrap(draft: Draft): Promise<Draft> {
    if (!this.#enabled || draft.data.length < LEAST) return draft;
    const data = await compress(messageOf(draft));
    return data ? { metadata: metadataOf({ encoding: ENCODING }), data } : draft;
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

/** Undefined when that makes it no smaller. */
async function compress(message: Bytes): Promise<Frame | undefined> {
  const frame = Frame.of(message.length);
  const stream = createDeflate();
  let size = 0;
  stream.on('data', (chunk: Uint8Array) => {
    const room = message.length - size;
    if (chunk.length < room) frame.set(chunk, size);
    size += chunk.length;
  });
  const ended = once(stream, 'end');
  for await (const piece of paced(message.pieces())) {
    if (size >= message.length) break;
    await new Promise((resolve) => stream.write(piece, resolve));
  }
  stream.end();
  await ended;
  return size < message.length ? frame.cut(size) : undefined;
}
