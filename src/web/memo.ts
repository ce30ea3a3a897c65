interface Entry {
  /** When it is asked anew; Infinity until it is answered. */
  until: number;
  value: Promise<unknown>;
}

/**
 * One answer for everybody who asks before it is there, and within its `ttl` (ms) after that,
 * failures included: what does not answer is not asked again and again.
 */
export class Memo {
  readonly #entries = new Map<string, Entry>();

  get<T>(key: string, ttl: number, make: () => Promise<T>): Promise<T> {
    const now = performance.now();
    for (const [name, { until }] of this.#entries) {
      if (now > until) this.#entries.delete(name);
    }
    const known = this.#entries.get(key);
    if (known) return known.value as Promise<T>;
    const entry = { until: Infinity, value: make() };
    const settled = (): void => {
      entry.until = performance.now() + ttl;
    };
    entry.value.then(settled, settled);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** What was known may have changed. */
  forget(): void {
    this.#entries.clear();
  }
}
