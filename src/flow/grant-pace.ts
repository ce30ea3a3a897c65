/** Grants that it is learned from, beside a round of those that are held at once. */
const MEMORY = 100;

/** How fast permits have come of late, while more requests of the key waited for them. */
export class GrantPace {
  #ms = 0;
  #grants = 0;
  /** Monotonic ms of the last grant, while more wait. */
  #last: number | undefined;

  /**
   * ms from one to the next; 0 while it is not known. What began together ends together: not before as
   * many have come as are `held` at once.
   */
  each(held: number): number {
    return this.#grants < Math.max(1, held) ? 0 : this.#ms / this.#grants;
  }

  /** `blocked`: none came for another reason than those that are held. */
  learn(
    grants: number,
    now: number,
    seen: { waiting: number; held: number; blocked: boolean },
  ): void {
    if (grants > 0 && this.#last !== undefined) {
      const kept = Math.max(0, 1 - grants / (MEMORY + seen.held));
      this.#ms = kept * this.#ms + now - this.#last;
      this.#grants = kept * this.#grants + grants;
    }
    if (seen.waiting === 0) this.#ms = this.#grants = 0;
    if (seen.waiting === 0 || seen.blocked) this.#last = undefined;
    else if (grants > 0) this.#last = now;
  }
}
