/** Bytes that renewals of the lease may have to wait for; a larger call goes alone. */
export const BULK = 1024 * 1024;

/**
 * Calls that carry outcomes share their connection with the renewals of the lease, and each has to be
 * answered within a part of it: few bytes at a time, in order.
 */
export class Bulk {
  readonly #waiting: { bytes: number; go: () => void }[] = [];
  #bytes = 0;

  async run<T>(bytes: number, call: () => Promise<T>): Promise<T> {
    if (this.#waiting.length === 0 && this.#fits(bytes)) this.#bytes += bytes;
    else await new Promise<void>((go) => this.#waiting.push({ bytes, go }));
    try {
      return await call();
    } finally {
      this.#bytes -= bytes;
      this.#letGo();
    }
  }

  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= BULK;
  }

  #letGo(): void {
    for (let [next] = this.#waiting; next && this.#fits(next.bytes); [next] = this.#waiting) {
      this.#waiting.shift();
      this.#bytes += next.bytes;
      next.go();
    }
  }
}
