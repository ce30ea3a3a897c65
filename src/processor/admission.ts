import { setTimeout as delay } from 'node:timers/promises';

/** A permit to fetch a request; whoever waits for one may give up. */
interface Waiter {
  grant(): void;
}

/** Who shares the places fairly: all single requests together, and each batch. */
export type Line = string;

export const SINGLES: Line = '';

/** What may wait here of a batch, and of all of them, in rounds of all places. */
const ROUNDS = { ofOne: 2, ofAll: 20 };
/** ms of work that may always wait here: Temporal takes a second to bring more. */
const AHEAD = 5_000;
/** Share of a new stay in what is known of how long they are. */
const WEIGHT = 0.1;

/**
 * The one bound on requests in flight. `enter` gives a task its place; waiting tasks stand in lines
 * that take turns, so that a batch of any size delays the others by one request.
 *
 * Whoever fetches requests from elsewhere reserves a permit first, of which there are as many as
 * free places: a full processor leaves requests where any other process can take them. While the
 * places are taken by batches there is one permit all the same, or their end would be waited for.
 * A closed admission, as before the start and from the drain on, grants nothing at all.
 *
 * A permit ends with the arrival of its request, although Temporal gives it back only some time
 * later: permits are alike, so the number of arrivals is all there is to know.
 */
export class Admission {
  readonly #max: number;
  readonly #onFull: () => void;
  readonly #fetchers = new Set<Waiter>();
  /** In the order of their turns. */
  readonly #lines = new Map<Line, Set<Waiter>>();
  #isOpen = false;
  #taken = 0;
  #permits = 0;
  #arrived = 0;
  #lastArrival = -Infinity;
  /** ms for which a place is taken, of late; not known before one was given up. */
  #stay = Infinity;

  constructor(max: number, onFull: () => void) {
    this.#max = max;
    this.#onFull = onFull;
  }

  open(): void {
    this.#isOpen = true;
    this.#grant();
  }

  close(): void {
    this.#isOpen = false;
  }

  /** A permit, as soon as there is one. Rejects with the signal's reason when it aborts first. */
  reserve(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.tryReserve()) return Promise.resolve();
    if (this.#isOpen) this.#onFull();
    return stand(this.#fetchers, signal);
  }

  /** A permit if there is one now. */
  tryReserve(): boolean {
    if (!this.#mayFetch) return false;
    this.#permits++;
    return true;
  }

  /** Gives a permit back, unless a request has arrived with it. */
  release(): void {
    if (this.#arrived > 0) this.#arrived--;
    else this.#permits--;
    this.#grant();
  }

  /** A request arrives with a permit. */
  arrive(): void {
    this.#lastArrival = performance.now();
    this.#permits--;
    this.#arrived++;
  }

  /**
   * Resolves when every permit has come back, when nothing has arrived with one for `ms`, or after
   * `limit` ms.
   */
  async quiet(ms: number, limit: number): Promise<void> {
    const end = performance.now() + limit;
    while (this.#permits > 0) {
      const left = Math.min(this.#lastArrival + ms, end) - performance.now();
      if (left <= 0) return;
      await delay(Math.min(left, 50));
    }
  }

  /** A place if there is one now and nobody waits for it. */
  tryEnter(): boolean {
    if (!this.#hasPlace || this.#lines.size > 0) return false;
    this.#taken++;
    return true;
  }

  /** A place, in the line's turn. Rejects with the signal's reason when it aborts first. */
  async enter(line: Line, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.tryEnter()) return;
    if (this.#isOpen) this.#onFull();
    const waiters = this.#lines.get(line) ?? new Set();
    this.#lines.set(line, waiters);
    // At once: a place that is given up in the same turn must not find a line without anybody.
    await stand(waiters, signal, () => {
      if (waiters.size === 0 && this.#lines.get(line) === waiters) this.#lines.delete(line);
    });
  }

  /** A task gives up its place, which it has had for `ms`. */
  leave(ms: number): void {
    this.#stay = this.#stay === Infinity ? ms : (1 - WEIGHT) * this.#stay + WEIGHT * ms;
    this.giveBack();
  }

  /** A task gives up its place without having used it. */
  giveBack(): void {
    this.#taken--;
    this.#grant();
  }

  /**
   * ms until what waits here of batches has its places, when that is so much that more of this one
   * would only be kept from other processes; undefined: there is room for it.
   */
  backlog(line: Line): number | undefined {
    let waiting = 0;
    for (const [each, { size }] of this.#lines) if (each !== SINGLES) waiting += size;
    const rounds = waiting / this.#max;
    // One that has nothing here yet is not kept out by the others' crowd.
    if (rounds <= (this.#lines.has(line) ? ROUNDS.ofOne : ROUNDS.ofAll)) return undefined;
    const work = rounds * this.#stay;
    return work > AHEAD ? work : undefined;
  }

  /** Places that are taken. */
  get taken(): number {
    return this.#taken;
  }

  get #hasPlace(): boolean {
    return this.#isOpen && this.#taken < this.#max;
  }

  get #mayFetch(): boolean {
    if (!this.#isOpen) return false;
    if (this.#taken + this.#permits < this.#max) return true;
    return this.#permits === 0 && this.#lines.size > 0 && !this.#lines.has(SINGLES);
  }

  #grant(): void {
    while (this.#hasPlace && this.#lines.size > 0) this.#grantTurn();
    for (const fetcher of this.#fetchers) {
      if (!this.#mayFetch) return;
      this.#fetchers.delete(fetcher);
      this.#permits++;
      fetcher.grant();
    }
  }

  /** The first of the line whose turn it is; the line then goes to the end. */
  #grantTurn(): void {
    const [[line, waiters]] = this.#lines as unknown as [[Line, Set<Waiter>]];
    const [waiter] = waiters;
    waiters.delete(waiter!);
    this.#lines.delete(line);
    if (waiters.size > 0) this.#lines.set(line, waiters);
    this.#taken++;
    waiter!.grant();
  }
}

function stand(
  waiters: Set<Waiter>,
  signal: AbortSignal,
  onGone: () => void = () => undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      waiters.delete(waiter);
      onGone();
      reject(signal.reason);
    };
    const waiter: Waiter = {
      grant() {
        signal.removeEventListener('abort', abort);
        resolve();
      },
    };
    waiters.add(waiter);
    signal.addEventListener('abort', abort, { once: true });
  });
}
