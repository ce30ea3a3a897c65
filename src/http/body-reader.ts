import type { Transform } from 'node:stream';
import type { DecoderFactory } from './content-encoding.ts';
import { ReceivedBody } from './received-body.ts';

export interface BodySink {
  /** The whole body, decoded, in pieces. */
  onBody(chunks: readonly Buffer[]): void;
  /** The decoded body is larger than the limit; nothing more is read. */
  onTooLarge(): void;
  onCorrupt(error: Error): void;
}

/** Encoded bytes that may wait for a decoder, beyond the limit that their content has. */
const MAX_WAITING = 64 * 1024;

/** Collects a response body, decoding as it arrives; the limit counts decoded bytes. */
export class BodyReader {
  readonly #sink: BodySink;
  readonly #limit: number;
  readonly #decoders: DecoderFactory[];
  readonly #stages: Transform[] = [];
  readonly #body = new ReceivedBody();
  #size = 0;

  constructor(sink: BodySink, limit: number, decoders: DecoderFactory[]) {
    this.#sink = sink;
    this.#limit = limit;
    this.#decoders = decoders;
  }

  write(chunk: Buffer): void {
    if (this.#decoders.length === 0) return this.#take(chunk);
    const first = this.#stages[0] ?? this.#open(chunk);
    first.write(chunk);
    // No pausing: a connection that ends while undici's parser is paused is an uncaught exception.
    if (first.writableLength > this.#limit + MAX_WAITING) this.#tooLarge();
  }

  end(): void {
    if (this.#stages.length > 0) this.#stages[0]!.end();
    else this.#finish();
  }

  cancel(): void {
    for (const stage of this.#stages) stage.destroy();
    this.#body.take();
  }

  /** Opened by its first byte: what it is, and whether there is anything at all, shows then. */
  #open(start: Buffer): Transform {
    const stage = this.#decoders[this.#stages.length]!(start);
    this.#stages.push(stage);
    stage.on('error', (error) => {
      this.cancel();
      this.#sink.onCorrupt(error);
    });
    if (this.#stages.length === this.#decoders.length) {
      stage.on('data', (chunk) => this.#take(chunk)).on('end', () => this.#finish());
    } else {
      stage.once('readable', () => this.#chain(stage));
    }
    return stage;
  }

  #chain(stage: Transform): void {
    const start = stage.read() as Buffer | null;
    if (start === null) return this.#finish();
    stage.unshift(start);
    stage.pipe(this.#open(start));
  }

  #take(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.#limit) this.#tooLarge();
    else this.#body.add(chunk);
  }

  #tooLarge(): void {
    this.cancel();
    this.#sink.onTooLarge();
  }

  #finish(): void {
    this.#sink.onBody(this.#body.take());
  }
}
