/** Those that wait, in their order, and the units that they are to take together. */
export class Line<T extends { demand: { cost: number } }> {
  #all = new Set<T>();
  #units = 0;

  get size(): number {
    return this.#all.size;
  }

  get units(): number {
    return this.#units;
  }

  add(waiter: T): void {
    this.#all.add(waiter);
    this.#units += waiter.demand.cost;
  }

  addFirst(...waiters: T[]): void {
    const others = this.#all;
    this.#all = new Set();
    for (const waiter of waiters) this.add(waiter);
    for (const waiter of others) this.#all.add(waiter);
  }

  delete(waiter: T): boolean {
    if (!this.#all.delete(waiter)) return false;
    // Of fractions a rest would stay.
    this.#units = this.#all.size === 0 ? 0 : this.#units - waiter.demand.cost;
    return true;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#all.values();
  }
}
