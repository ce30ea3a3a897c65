import { Transform } from 'node:stream';
import type { TransformCallback } from 'node:stream';
import zlib from 'node:zlib';

// Node 20 has no zstd and its types know none.
const zstd = (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress;

const DECODERS: Record<string, (() => Transform) | undefined> = {
  gzip: () => zlib.createGunzip(),
  'x-gzip': () => zlib.createGunzip(),
  deflate: () => new Inflate(),
  br: () => zlib.createBrotliDecompress(),
  zstd,
};

/**
 * Decoders for a Content-Encoding, first to apply first. Empty if there is nothing to decode;
 * undefined if one is unknown, and the body has to stay as it is.
 */
export function contentDecoders(
  value: string | string[] | undefined,
): (() => Transform)[] | undefined {
  const names = String(value ?? '').split(',');
  const decoders: (() => Transform)[] = [];
  for (const name of names.reverse()) {
    const encoding = name.trim().toLowerCase();
    if (encoding === '' || encoding === 'identity') continue;
    const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
    if (!decoder) return undefined;
    decoders.push(decoder);
  }
  return decoders;
}

/** "deflate" is zlib's format by the RFC and the bare one in much of the wild. */
class Inflate extends Transform {
  #inflate: Transform | undefined;

  override _transform(chunk: Buffer, encoding: BufferEncoding, done: TransformCallback): void {
    this.#inflate ??= this.#open((chunk[0]! & 0x0f) === 8);
    this.#inflate.write(chunk, encoding, done);
  }

  override _flush(done: TransformCallback): void {
    if (!this.#inflate) return done();
    this.#inflate.once('end', done).end();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#inflate?.destroy();
    done(error);
  }

  #open(wrapped: boolean): Transform {
    return (wrapped ? zlib.createInflate() : zlib.createInflateRaw())
      .on('data', (chunk) => {
        if (!this.push(chunk)) this.#inflate!.pause();
      })
      .on('error', (error) => this.destroy(error));
  }

  override _read(size: number): void {
    this.#inflate?.resume();
    super._read(size);
  }
}
