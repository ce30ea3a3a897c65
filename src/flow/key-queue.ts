import type { FlowLimits } from '../shared/flow-limits.ts';
import { Away } from './away.ts';
import { GrantPace } from './grant-pace.ts';
import { NOTHING, type Answer, type Ledger, type Report, type Slot } from './ledger.ts';
import { Line } from './line.ts';
import { intervalOf } from './pace.ts';
import { FlowPermit, type Demand } from './permit.ts';
import type { Later } from './port.ts';
import { MAX_TIMER } from '../shared/constants.ts';

/** ms before its time at which a request gets its permit: for its place and its connection. */
const LEAD = 250;
/** Most requests asked for at once. */
const BATCH = 100;

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
  /** Nothing waits and nothing is held any more, and the ledger knows. */
  onIdle: () => void;
}

/**
 * Requests of one key in this process, in their order. Only the queue asks the ledger, one call at
 * a time, and each call says all there is to say.
 */
export class KeyQueue {
  readonly #options: KeyQueueOptions;
  readonly #waiting = new Line<Waiter>();
  /** Granted, their time not yet near. */
  readonly #granted = new Set<Waiter>();
  /** What specs and options say, here or as last heard. */
  #own: FlowLimits = {};
  /** A request has said so since the ledger was told. */
  #stated = false;
  #held = 0;
  /** Permits that the ledger has down for this process; undefined: it may not have heard. */
  #counted: number | undefined = 0;
  #report = NOTHING;
  #asking = false;
  #closed = false;
  /** Something has happened that the ledger must hear. */
  #changed = false;
  #retry: NodeJS.Timeout | undefined;
  /** Monotonic ms before which nothing will be granted, as far as is known. */
  #blockedUntil = -Infinity;
  readonly #pace = new GrantPace();
  readonly #away: Away;
  /** How often the key was to be left alone. */
  #cooled = 0;

  constructor(options: KeyQueueOptions) {
    this.#options = options;
    this.#away = new Away(options.maxWait);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** The newest request's count: those of one key are meant to agree. Who states none has the key's. */
  set limits(limits: FlowLimits) {
    if (Object.keys(limits).length === 0) return;
    this.#stated = true;
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

  /** Grants of before count no more: see {@link cool}. */
  get cooled(): number {
    return this.#cooled;
  }

  /** For one that is not to wait here, by the pace so far. */
  sendAway({ cost }: Demand): Later {
    const { size, units } = this.#waiting;
    const paced = size * this.#pace.each(this.#held);
    return this.#sendAway(Math.max(this.#waitBehind(size, units), paced), cost);
  }

  take(demand: Demand, signal: AbortSignal): Promise<FlowPermit | Later> {
    const known = this.#waitBehind(this.#waiting.size, this.#waiting.units);
    if (known > this.#options.maxWait) return Promise.resolve(this.#sendAway(known, demand.cost));
    return this.#stand(demand, signal, (waiter) => this.#waiting.add(waiter));
  }

  /** For one whose time has passed unused: before all others, and with a new permit. */
  takeAgain(demand: Demand, signal: AbortSignal): Promise<FlowPermit | Later> {
    this.#held--;
    this.#changed = true;
    return this.#stand(demand, signal, (waiter) => this.#waiting.addFirst(waiter));
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

  /**
   * What has not got its permit yet goes back into the queue, and asks again; who has it and is not
   * sent yet finds at the gate that it counts no more.
   */
  cool(): void {
    this.#cooled++;
    const back = [...this.#granted];
    this.#granted.clear();
    for (const waiter of back) {
      clearTimeout(waiter.timer);
      this.#held--;
    }
    this.#waiting.addFirst(...back);
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
    const { spent, unused, cool, failures, succeeded } = this.#report;
    if (report.spent || report.unused.length > 0) this.#changed = true;
    if (report.cool || report.failures || report.succeeded) this.#changed = true;
    this.#report = {
      spent: spent + report.spent,
      unused: [...unused, ...report.unused],
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
    const ask = {
      ...this.#report,
      held: this.#held,
      costs,
      limits: this.#own,
      stated: this.#stated,
    };
    const cooled = this.#cooled;
    this.#report = NOTHING;
    this.#stated = false;
    void this.#options.ledger.ask(this.#options.key, ask).then((answer) => {
      this.#asking = false;
      if (this.#closed) return;
      this.#counted = answer.heard ? ask.held + answer.slots.length : undefined;
      if (!answer.heard) this.#stated ||= ask.stated;
      if (!this.#stated) this.#own = answer.limits;
      // The word of a cool-down or a pause can overtake the answer: what that grants counts no more,
      // and goes back with what the next ask says is held.
      if (cooled !== this.#cooled) this.#ask();
      else this.#hear(batch, answer);
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
    const timed = obstacle === 'cool' || obstacle === 'rate';
    // A pause says nothing of how fast permits come back.
    const blocked = obstacle === 'paused' || (timed && slots.length === 0);
    const { size: waiting } = this.#waiting;
    if (waiting === 0) this.#away.forget();
    this.#pace.learn(slots.length, now, { waiting, held: this.#held, blocked });
    this.#blockedUntil = timed ? now + retryIn : -Infinity;
    this.#shorten();
    const unheard = obstacle === 'none' && this.#waiting.size > 0;
    if (this.#changed || unheard) return this.#ask();
    if (this.#waiting.size > 0) {
      this.#retry = setTimeout(() => this.#ask(), Math.min(retryIn, MAX_TIMER));
    }
    this.#settleDown();
  }

  #grant(waiter: Waiter, slot: Slot, now: number): void {
    this.#held++;
    const limits = this.#limits;
    const cooled = this.#cooled;
    const hand = (): void => {
      this.#granted.delete(waiter);
      waiter.settle(new FlowPermit(this, { demand: waiter.demand, limits, slot, cooled }));
    };
    const wait = slot.at - LEAD - now;
    if (wait <= 0) return hand();
    this.#granted.add(waiter);
    waiter.timer = setTimeout(hand, wait);
  }

  /** One that gave up: the ledger forgets it with the next call. */
  #drop(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.#waiting.delete(waiter);
    if (this.#granted.delete(waiter)) this.release(NOTHING);
    else if (this.#waiting.size === 0) {
      // It stands in line for nobody, or will when the ask that is under way is answered.
      this.#changed = true;
      this.#ask();
    }
  }

  /** ms that one waits at least, with so many before it that take so many units. */
  #waitBehind(count: number, units: number): number {
    const { burst = 1, concurrency, ...rate } = this.#limits;
    const interval = intervalOf(rate) ?? 0;
    const blocked = this.#blockedUntil - performance.now();
    // Since nothing was to be waited for, units have come together, up to the burst.
    const rated = units * interval + Math.max(blocked, -burst * interval);
    const paced = concurrency === undefined ? 0 : count * this.#pace.each(this.#held);
    return Math.max(0, rated, Math.max(0, blocked) + paced);
  }

  #sendAway(wait: number, cost: number): Later {
    const interval = intervalOf(this.#limits) ?? 0;
    const each = Math.max(cost * interval, this.#pace.each(this.#held));
    return this.#away.send({ wait, blocked: this.#blockedUntil - performance.now(), each });
  }

  /** Sends away those at the end whose wait has become too long. */
  #shorten(): void {
    const { maxWait } = this.#options;
    if (this.#waitBehind(this.#waiting.size, this.#waiting.units) <= maxWait) return;
    let units = 0;
    for (const [position, waiter] of [...this.#waiting].entries()) {
      const later = this.#waitBehind(position, units);
      units += waiter.demand.cost;
      if (later <= maxWait) continue;
      this.#waiting.delete(waiter);
      waiter.settle(this.#sendAway(later, waiter.demand.cost));
    }
  }

  #settleDown(): void {
    if (this.#waiting.size > 0 || this.#held > 0 || this.#asking || this.#changed) return;
    // What the ledger has down for this process counts against others for as long as it lives.
    if (this.#counted === 0) this.#options.onIdle();
    else if (this.#counted !== undefined) this.#ask();
  }
}

function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let taken = 0;
  for (const item of items) {
    if (taken++ === count) return;
    yield item;
  }
}
