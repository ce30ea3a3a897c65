import { createReadStream } from 'node:fs';

const NEWLINE = 0x0a;

/**
 * The lines of a file, and last what follows the last newline. Other ends of a line, which
 * `node:readline` knows, may stand in JSON: U+2028 for one.
 */
export async function* linesOf(file: string): AsyncIterable<Buffer> {
  let pieces: Buffer[] = [];
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...pieces, chunk.subarray(start, end)]);
      pieces = [];
      start = end + 1;
    }
    pieces.push(chunk.subarray(start));
  }
  yield Buffer.concat(pieces);
}
