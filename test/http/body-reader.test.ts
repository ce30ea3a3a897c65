import type { Transform } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import zlib from 'node:zlib';
import { expect, test } from 'vitest';
import { BodyReader } from '../../src/http/body-reader.ts';
import { contentDecoders } from '../../src/http/content-encoding.ts';
import { waitFor } from '../support/wait-for.ts';

const LIMIT = 100_000;
const BOMB = Buffer.alloc(200_000_000);

/** Node's decoders give 16 KB at a time; one piece may be under way when the limit is met. */
const PIECES = 4 * 16_384;

test.each([
  ['gzip', zlib.gzipSync(BOMB)],
  ['deflate', zlib.deflateSync(BOMB)],
  ['deflate', zlib.deflateRawSync(BOMB)],
  ['br', zlib.brotliCompressSync(BOMB, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } })],
  ['gzip, gzip', zlib.gzipSync(zlib.gzipSync(BOMB))],
])('a bomb is not unpacked past the limit: %s', async (encoding, bomb) => {
  let unpacked = 0;
  const stages: Transform[] = [];
  const decoders = contentDecoders(encoding)!.map((open, index, all) => (start: Buffer) => {
    const stage = open(start);
    stages.push(stage);
    const push = stage.push.bind(stage);
    stage.push = (chunk: Buffer | null) => {
      if (chunk && index === all.length - 1) unpacked += chunk.length;
      return push(chunk);
    };
    return stage;
  });
  let ended: unknown;
  const reader = new BodyReader(
    {
      onBody: () => (ended = 'body'),
      onTooLarge: () => (ended = 'too large'),
      onCorrupt: (error) => (ended = error),
    },
    LIMIT,
    decoders,
  );
  // In pieces, as a socket gives them.
  for (let i = 0; i < bomb.length && ended === undefined; i += 16_384) {
    reader.write(bomb.subarray(i, i + 16_384));
    await nextTurn();
  }
  await waitFor(() => ended);
  expect(ended).toBe('too large');
  await waitFor(() => stages.every((stage) => stage.closed));
  expect(unpacked).toBeLessThanOrEqual(LIMIT + PIECES);
});
