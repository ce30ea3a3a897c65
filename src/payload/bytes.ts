import { setImmediate } from 'node:timers/promises';

/** Bytes of a known number, as often as wanted; each piece is there until the next one is asked for. */
export interface Bytes {
  readonly length: number;
  pieces(): Iterable<Uint8Array>;
}

/** What the messages around a payload take before its bytes, and encryption behind them. */
const HEAD = 1024;
const TAIL = 64;

/** Bytes taken at once: a piece of work that holds nobody up. */
const PIECE = 256 * 1024;

/**
 * Bytes with room around them, for what the steps that follow put there: so a large payload has one
 * buffer on all of its way. Memory that is never written to costs nothing.
 */
export class Frame implements Bytes {
  readonly #buffer: Uint8Array;
  readonly #start: number;
  readonly #end: number;

  private constructor(buffer: Uint8Array, start: number, end: number) {
    this.#buffer = buffer;
    this.#start = start;
    this.#end = end;
  }

  static of(length: number): Frame {
    return new Frame(Buffer.allocUnsafeSlow(HEAD + length + TAIL), HEAD, HEAD + length);
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** A view. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  pieces(): Iterable<Uint8Array> {
    return piecesOf(this.bytes);
  }

  set(bytes: Uint8Array, at: number): void {
    this.#buffer.set(bytes, this.#start + at);
  }

  /** Its first bytes. */
  cut(length: number): Frame {
    return new Frame(this.#buffer, this.#start, this.#start + length);
  }

  /** With these bytes around its own, in the same buffer; undefined where they do not fit. */
  within(before: Uint8Array, after?: Uint8Array): Frame | undefined {
    const start = this.#start - before.length;
    const end = this.#end + (after?.length ?? 0);
    if (start < 0 || end > this.#buffer.length) return undefined;
    this.#buffer.set(before, start);
    if (after) this.#buffer.set(after, this.#end);
    return new Frame(this.#buffer, start, end);
  }
}

/** Views. */
export function* piecesOf(bytes: Uint8Array, size = PIECE): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export function bytesOf(data: Uint8Array): Bytes {
  return { length: data.length, pieces: () => piecesOf(data) };
}

/** In one piece; a copy unless they are a frame's. */
export async function gather(bytes: Bytes): Promise<Uint8Array> {
  return (await framed(bytes)).bytes;
}

export async function framed(bytes: Bytes): Promise<Frame> {
  if (bytes instanceof Frame) return bytes;
  const frame = Frame.of(bytes.length);
  let at = 0;
  for await (const piece of paced(bytes.pieces())) {
    frame.set(piece, at);
    at += piece.length;
  }
  return frame;
}

/** The pieces, with others let in between them now and then: a hundred megabytes take a while. */
export async function* paced(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let since = 0;
  for (const piece of pieces) {
    yield piece;
    since += piece.length;
    if (since < PIECE) continue;
    since = 0;
    await setImmediate();
  }
}
