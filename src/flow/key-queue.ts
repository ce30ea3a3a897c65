import type { FlowLimits } from '../shared/flow-limits.ts';
import { NOTHING, type Answer, type Ledger, type Report } from './ledger.ts';
import { FlowPermit, type Demand } from './permit.ts';
import type { Later } from './port.ts';

/** ms before its time at which a request gets its permit: for its place and its connection. */
const LEAD = 250;
/** Most requests asked for at once. */
const BATCH = 100;
/** Share of a new interval between grants in what a wait is estimated by. */
const WEIGHT = 0.2;
/** ms; `setTimeout` fires at once above the largest delay. */
const LONGEST_TIMER = 2 ** 31 - 1;

interface Waiter {
  demand: Demand;
  /** Runs from its grant until its time is near. */
  timer: NodeJS.Timeout | undefined;
  settle(turn: FlowPermit | Later): void;
}

export interface KeyQueueOptions {
  key: string;
  ledger: Ledger;
  /** ms. Who has to wait longer does so in Temporal. */
  maxWait: number;
  /** Nothing waits and nothing is held any more. */
  onIdle: () => void;
}

/**
 * Requests of one key in this process, in their order. Only the queue asks the ledger, one call at
 * a time, and each call says all there is to say.
 */
export class KeyQueue {
  readonly #options: KeyQueueOptions;
  #waiting = new Set<Waiter>();
  /** Granted, their time not yet near. */
  readonly #granted = new Set<Waiter>();
  #own: FlowLimits = {};
  #held = 0;
  #report = NOTHING;
  #asking = false;
  #closed = false;
  /** Something has happened that the ledger must hear. */
  #changed = false;
  #retry: NodeJS.Timeout | undefined;
  /** Monotonic ms before which nothing will be granted, as far as is known. */
  #blockedUntil = 0;
  /** ms from grant to grant, and the time of the last one, while there are waiting ones. */
  #pace = 0;
  #lastGrant: number | undefined;

  constructor(options: KeyQueueOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** The newest request's count: those of one key are meant to agree. */
  set limits(limits: FlowLimits) {
    const { rate, period, burst, concurrency } = this.#own;
    this.#changed ||=
      limits.rate !== rate ||
      limits.period !== period ||
      limits.burst !== burst ||
      limits.concurrency !== concurrency;
    this.#own = limits;
  }

  get #limits(): FlowLimits {
    const override = this.#options.ledger.overrides.get(this.#options.key);
    return override ? { ...this.#own, ...override } : this.#own;
  }

  /** ms that one who came now would wait, by the pace so far: a guess. */
  get expected(): number {
    const { size } = this.#waiting;
    return Math.max(this.#knownAt(size), size * this.#pace);
  }

  take(demand: Demand, signal: AbortSignal): Promise<FlowPermit | Later> {
    const known = this.#knownAt(this.#waiting.size);
    if (known > this.#options.maxWait) return Promise.resolve(laterIn(known));
    return this.#stand(demand, signal, (waiter) => this.#waiting.add(waiter));
  }

  /** For one whose time has passed unused: before all others, and with a new permit. */
  takeAgain(demand: Demand, signal: AbortSignal): Promise<FlowPermit | Later> {
    this.#held--;
    this.#changed = true;
    return this.#stand(demand, signal, (waiter) => {
      this.#waiting = new Set([waiter, ...this.#waiting]);
    });
  }

  #stand(
    demand: Demand,
    signal: AbortSignal,
    enter: (waiter: Waiter) => void,
  ): Promise<FlowPermit | Later> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) this.#ask();
      signal.throwIfAborted();
      const abort = (): void => {
        this.#drop(waiter);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        ...{ demand, timer: undefined },
        settle(turn) {
          signal.removeEventListener('abort', abort);
          resolve(turn);
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      enter(waiter);
      // While a wait is known, one more need not be told of.
      if (!this.#retry || this.#changed) this.#ask();
    });
  }

  /** A permit comes back. `report`: what the ledger should learn from it. */
  release(report: Report): void {
    this.#held--;
    this.#tell(report);
    const { concurrency, rate, breaker } = this.#limits;
    // A rate alone does not ask how many are under way.
    if (concurrency !== undefined || rate === undefined || breaker) this.#changed = true;
    if (this.#changed) this.#ask();
    else this.#settleDown();
  }

  /** To ask again: a permit may be free, or limits have changed. */
  wake(): void {
    this.#changed = true;
    this.#ask();
  }

  /** What has not got its permit yet goes back into the queue, and asks again. */
  cool(): void {
    const back = [...this.#granted];
    this.#granted.clear();
    for (const waiter of back) {
      clearTimeout(waiter.timer);
      this.#held--;
    }
    this.#waiting = new Set([...back, ...this.#waiting]);
    this.wake();
  }

  /** The process ends: nothing is asked any more. */
  close(): void {
    this.#closed = true;
    this.#disarm();
    for (const { timer } of this.#granted) clearTimeout(timer);
  }

  #disarm(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  #tell(report: Report): void {
    const { spent, cool, failures, succeeded } = this.#report;
    if (report.spent || report.cool || report.failures || report.succeeded) this.#changed = true;
    this.#report = {
      spent: spent + report.spent,
      cool: Math.max(cool, report.cool),
      failures: report.succeeded ? 0 : failures + report.failures,
      succeeded: succeeded || report.succeeded,
    };
  }

  #ask(): void {
    if (this.#asking || this.#closed) return;
    this.#disarm();
    this.#asking = true;
    this.#changed = false;
    const batch = [...take(this.#waiting, BATCH)];
    const costs = batch.map(({ demand }) => demand.cost);
    const ask = { ...this.#report, limits: this.#limits, held: this.#held, costs };
    this.#report = NOTHING;
    void this.#options.ledger.ask(this.#options.key, ask).then((answer) => {
      this.#asking = false;
      if (this.#closed) return;
      this.#hear(batch, answer);
    });
  }

  #hear(batch: Waiter[], answer: Answer): void {
    const { slots, obstacle, retryIn } = answer;
    const now = performance.now();
    for (const [index, slot] of slots.entries()) {
      const waiter = batch[index]!;
      // Of one that has gone meanwhile the permit is not needed, and its time is not given away.
      if (this.#waiting.delete(waiter)) this.#grant(waiter, slot, now);
      else this.#changed = true;
    }
    const blocked = slots.length === 0 && (obstacle === 'cool' || obstacle === 'rate');
    this.#learnPace(slots.length, blocked, now);
    this.#blockedUntil = blocked ? now + retryIn : 0;
    this.#sendAway();
    const unheard = obstacle === 'none' && this.#waiting.size > 0;
    if (this.#changed || unheard) return this.#ask();
    if (this.#waiting.size > 0) {
      this.#retry = setTimeout(() => this.#ask(), Math.min(retryIn, LONGEST_TIMER));
    }
    this.#settleDown();
  }

  #grant(waiter: Waiter, slot: number, now: number): void {
    this.#held++;
    const limits = this.#limits;
    const hand = (): void => {
      this.#granted.delete(waiter);
      waiter.settle(new FlowPermit(this, { demand: waiter.demand, limits, slot }));
    };
    const wait = slot - LEAD - now;
    if (wait <= 0) return hand();
    this.#granted.add(waiter);
    waiter.timer = setTimeout(hand, wait);
  }

  /** One that gave up: the ledger forgets it with the next call. */
  #drop(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.#waiting.delete(waiter);
    if (this.#granted.delete(waiter)) this.release(NOTHING);
    else if (this.#waiting.size === 0 && !this.#asking) {
      // It stands in line for nobody.
      this.#ask();
    }
  }

  #learnPace(grants: number, blocked: boolean, now: number): void {
    if (grants > 0 && this.#lastGrant !== undefined) {
      const each = (now - this.#lastGrant) / grants;
      this.#pace = this.#pace === 0 ? each : (1 - WEIGHT) * this.#pace + WEIGHT * each;
    }
    if (this.#waiting.size === 0) this.#pace = 0;
    if (this.#waiting.size === 0 || blocked) this.#lastGrant = undefined;
    else if (grants > 0) this.#lastGrant = now;
  }

  /** ms that one at this position waits at least. */
  #knownAt(position: number): number {
    const { rate, period = 0 } = this.#limits;
    const alone = rate === undefined ? 0 : period / rate;
    const blocked = Math.max(0, this.#blockedUntil - performance.now());
    return blocked + position * alone;
  }

  /** Those at the end whose wait has become too long. */
  #sendAway(): void {
    const { maxWait } = this.#options;
    if (this.#waiting.size === 0 || this.#knownAt(this.#waiting.size - 1) <= maxWait) return;
    for (const [position, waiter] of [...this.#waiting].entries()) {
      const later = this.#knownAt(position);
      if (later <= maxWait) continue;
      this.#waiting.delete(waiter);
      waiter.settle(laterIn(later));
    }
  }

  #settleDown(): void {
    const { size } = this.#waiting;
    if (size === 0 && this.#held === 0 && !this.#asking && !this.#changed) {
      this.#options.onIdle();
    }
  }
}

/** Not to the ms: what is sent away together must not come back together. */
export function laterIn(ms: number): Later {
  return { later: Math.ceil(ms * (1 + 0.2 * Math.random())) };
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let taken = 0;
  for (const item of items) {
    if (taken++ === count) return;
    yield item;
  }
}
