/** A way for calls to go, as the page shows it. */
export interface SideFigures {
  fired: number;
  /** Fired and not on the wire: for a place, a slot, a next try. */
  waiting: number;
  inFlight: number;
  peak: number;
  answered: number;
  failed: number;
  /** Ended by Stop. */
  stopped: number;
  /** ms from the click to the answer; undefined without one. */
  p50: number | undefined;
  p95: number | undefined;
  /** ms from the first click to the last ending; undefined while calls are under way. */
  took: number | undefined;
}

/** Counts what happens to the calls of one side. */
export class Side {
  #fired = 0;
  #inFlight = 0;
  #peak = 0;
  #answered = 0;
  #failed = 0;
  #stopped = 0;
  #firstAt: number | undefined;
  #lastAt = 0;
  /** ms, in the order of the endings; sorted when they are asked for. */
  #times: number[] = [];

  fire(count: number): void {
    this.#firstAt ??= Date.now();
    this.#fired += count;
  }

  started(): void {
    this.#peak = Math.max(this.#peak, ++this.#inFlight);
  }

  /** Off the wire, whether or not it is tried again. */
  left(): void {
    this.#inFlight--;
  }

  /** `since`: epoch ms of the click. */
  answered(since: number): void {
    this.#answered++;
    this.#lastAt = Date.now();
    this.#times.push(this.#lastAt - since);
  }

  failed(): void {
    this.#failed++;
    this.#lastAt = Date.now();
  }

  stopped(count = 1): void {
    if (count === 0) return;
    this.#stopped += count;
    this.#lastAt = Date.now();
  }

  /** Whoever fired them has ended: what is not on the wire does not come any more. */
  abandoned(): void {
    this.stopped(this.#waiting);
  }

  get underWay(): number {
    return Math.max(0, this.#fired - this.#answered - this.#failed - this.#stopped);
  }

  get figures(): SideFigures {
    const times = this.#times.toSorted((a, b) => a - b);
    const at = (share: number): number | undefined =>
      times[Math.max(0, Math.ceil(times.length * share) - 1)];
    return {
      fired: this.#fired,
      waiting: this.#waiting,
      inFlight: this.#inFlight,
      peak: this.#peak,
      answered: this.#answered,
      failed: this.#failed,
      stopped: this.#stopped,
      p50: at(0.5),
      p95: at(0.95),
      took:
        this.#firstAt === undefined || this.underWay > 0 ? undefined : this.#lastAt - this.#firstAt,
    };
  }

  get #waiting(): number {
    return Math.max(0, this.underWay - this.#inFlight);
  }
}
