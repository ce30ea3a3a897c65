import type { Transform } from 'node:stream';
import zlib from 'node:zlib';

// Node 20 has no zstd and its types know none.
const zstd = (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress;

/** Each costs memory before the first byte comes out; more than two make no sense. */
const MAX_STACKED = 5;

/** Makes a decoder for the data that begins with this. */
export type DecoderFactory = (start: Buffer) => Transform;

const DECODERS: Record<string, DecoderFactory | undefined> = {
  gzip: () => zlib.createGunzip(),
  'x-gzip': () => zlib.createGunzip(),
  // zlib's format by the RFC, the bare one in much of the wild
  deflate: ([first = 0]) => ((first & 0x0f) === 8 ? zlib.createInflate() : zlib.createInflateRaw()),
  br: () => zlib.createBrotliDecompress(),
  zstd,
};

/**
 * Decoders for a Content-Encoding, first to apply first. Empty if there is nothing to decode;
 * undefined if one is unknown, and the body has to stay as it is.
 */
export function contentDecoders(
  value: string | string[] | undefined,
): DecoderFactory[] | undefined {
  const names = String(value ?? '').split(',');
  const decoders: DecoderFactory[] = [];
  for (const name of names.reverse()) {
    const encoding = name.trim().toLowerCase();
    if (encoding === '' || encoding === 'identity') continue;
    const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
    if (!decoder) return undefined;
    if (decoders.length === MAX_STACKED) return undefined;
    decoders.push(decoder);
  }
  return decoders;
}
