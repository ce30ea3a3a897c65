/** Bytes from which a body is large: as a string it would be copied with every use. */
export const LARGE = 1024 * 1024;

/** Bytes; of three, so that base64 has no rest, and a piece of work that holds nobody up. */
const SEGMENT = 384 * 1024;

/**
 * A body as it arrives. A large one is copied into memory that can be given back at once: the
 * buffers of a connection go when garbage is collected, which on a busy machine is late.
 */
export class ReceivedBody {
  #chunks: Buffer[] = [];
  #size = 0;
  /** Of the last segment. */
  #room = 0;

  add(chunk: Buffer): void {
    const wasLarge = this.#size > LARGE;
    this.#size += chunk.length;
    if (wasLarge) return this.#copy(chunk);
    this.#chunks.push(chunk);
    if (this.#size > LARGE) for (const each of this.take()) this.#copy(each);
  }

  take(): Buffer[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    if (this.#room > 0) chunks.push(chunks.pop()!.subarray(0, SEGMENT - this.#room));
    this.#room = 0;
    return chunks;
  }

  #copy(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#room === 0) {
        this.#chunks.push(Buffer.from(new ArrayBuffer(SEGMENT, { maxByteLength: SEGMENT })));
        this.#room = SEGMENT;
      }
      const copied = chunk.copy(this.#chunks.at(-1)!, SEGMENT - this.#room, at);
      this.#room -= copied;
      at += copied;
    }
  }
}

/** Gives the memory of a large body's segment back; nothing may look at it again. */
export function letGo({ buffer }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.resizable) buffer.resize(0);
}
