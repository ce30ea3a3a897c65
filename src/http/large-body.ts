import { isUtf8 } from 'node:buffer';
import { StringDecoder } from 'node:string_decoder';
import type { LargeBody } from '../shared/held-response.ts';
import { letGo } from './received-body.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Characters: more than an error's response shows. */
const REST = 4096;
const BOM = Buffer.from('\ufeff');

/** What JSON writes for a byte between quotes (RFC 8259 §7): all but these stand for themselves. */
const ESCAPES: (Buffer | undefined)[] = Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH
    ? Buffer.from(JSON.stringify(String.fromCharCode(byte)).slice(1, -1))
    : undefined,
);
/** Bytes that it takes beyond the one. */
const EXTRA = Uint8Array.from(ESCAPES, (escape) => (escape ? escape.length - 1 : 0));

/** A body in pieces: text in UTF-8, or what `body` shows as base64. */
export class HeldBody implements LargeBody {
  #chunks: readonly Buffer[];
  /** What is left of a body that has been let go of. */
  #rest: string | undefined;
  readonly #isText: boolean;
  readonly jsonLength: number;

  constructor(chunks: readonly Buffer[], isText: boolean) {
    this.#chunks = chunks;
    this.#isText = isText;
    const size = sizeOf(chunks);
    const scratch = new Scratch();
    this.jsonLength = isText
      ? chunks.reduce((sum, chunk) => sum + extraOf(readable(chunk, scratch)), size)
      : 4 * Math.ceil(size / 3);
  }

  jsonPieces(): Iterable<Uint8Array> {
    return this.#isText ? escaped(this.#chunks) : base64(this.#chunks);
  }

  *lastPieces(): Iterable<Uint8Array> {
    this.#rest ??= this.start(REST);
    const left = [...this.#chunks].reverse();
    this.#chunks = [];
    const chunks = (function* () {
      for (let chunk = left.pop(); chunk; chunk = left.pop()) {
        yield chunk;
        letGo(chunk);
      }
    })();
    yield* this.#isText ? escaped(chunks) : base64(chunks);
  }

  text(): string {
    return this.start(Infinity);
  }

  start(length: number): string {
    if (this.#rest !== undefined) return this.#rest.slice(0, length);
    let text = '';
    for (const piece of this.#isText ? this.#decoded() : base64(this.#chunks)) {
      text += typeof piece === 'string' ? piece : piece.toString('latin1');
      if (text.length >= length) return text.slice(0, length);
    }
    return text;
  }

  toJSON(): string {
    return this.text();
  }

  /** Itself, or what `clean` has made of it; of bytes it is given one character for each. */
  cleaned(clean: (text: string) => string): HeldBody {
    const text = this.#isText
      ? this.text()
      : this.#chunks.map((chunk) => chunk.toString('latin1')).join('');
    const cleaned = clean(text);
    if (cleaned === text) return this;
    return new HeldBody([Buffer.from(cleaned, this.#isText ? 'utf8' : 'latin1')], this.#isText);
  }

  *#decoded(): Iterable<string> {
    const decoder = new StringDecoder('utf8');
    for (const chunk of this.#chunks) yield decoder.write(chunk);
  }
}

function* escaped(chunks: Iterable<Buffer>): Iterable<Buffer> {
  const [from, to] = [new Scratch(), new Scratch()];
  for (const chunk of chunks) yield escape(readable(chunk, from), to);
}

function* base64(chunks: Iterable<Buffer>): Iterable<Buffer> {
  const scratch = new Scratch();
  for (const chunk of regrouped(chunks, (bytes) => bytes.length - (bytes.length % 3))) {
    const text = chunk.toString('base64');
    const bytes = scratch.take(text.length);
    bytes.write(text, 'latin1');
    yield bytes;
  }
}

/** Memory that one piece after the other has: each as new would be waste as large as the body. */
class Scratch {
  #buffer = Buffer.alloc(0);

  take(length: number): Buffer {
    if (this.#buffer.length < length) this.#buffer = Buffer.allocUnsafeSlow(length);
    return this.#buffer.subarray(0, length);
  }
}

export function sizeOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

/** Whether they are UTF-8 together: a character can begin in one and end in the next. */
export function areUtf8(chunks: readonly Buffer[]): boolean {
  for (const chunk of regrouped(chunks, endOfCharacters)) {
    if (!isUtf8(chunk)) return false;
  }
  return true;
}

/** A byte order mark is no part of the text. */
export function withoutMark(chunks: readonly Buffer[]): readonly Buffer[] {
  const start = Buffer.concat(chunks.slice(0, BOM.length)).subarray(0, BOM.length);
  if (!start.equals(BOM)) return chunks;
  let left = BOM.length;
  return chunks.map((chunk) => {
    const cut = Math.min(left, chunk.length);
    left -= cut;
    return chunk.subarray(cut);
  });
}

/** The same bytes in chunks that end where `endOf` says; the last one as it is. */
function* regrouped(chunks: Iterable<Buffer>, endOf: (bytes: Buffer) => number): Iterable<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for (const chunk of chunks) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const end = endOf(bytes);
    if (end > 0) yield bytes.subarray(0, end);
    // A copy: the chunk itself may be let go of before the next one is there.
    rest = Buffer.from(bytes.subarray(end));
  }
  if (rest.length > 0) yield rest;
}

/** Where the last character ends that is there as a whole, if it is one. */
function endOfCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** Byte by byte, memory that can be given back is read many times slower than a copy of it. */
function readable(chunk: Buffer, scratch: Scratch): Buffer {
  if (!(chunk.buffer instanceof ArrayBuffer) || !chunk.buffer.resizable) return chunk;
  const copy = scratch.take(chunk.length);
  chunk.copy(copy);
  return copy;
}

function extraOf(chunk: Buffer): number {
  let extra = 0;
  for (let i = 0; i < chunk.length; i++) extra += EXTRA[chunk[i]!]!;
  return extra;
}

function escape(chunk: Buffer, scratch: Scratch): Buffer {
  const extra = extraOf(chunk);
  if (extra === 0) return chunk;
  const escaped = scratch.take(chunk.length + extra);
  let at = 0;
  for (let i = 0; i < chunk.length; i++) {
    const byte = chunk[i]!;
    const form = EXTRA[byte] === 0 ? undefined : ESCAPES[byte];
    if (form) at += form.copy(escaped, at);
    else escaped[at++] = byte;
  }
  return escaped;
}
