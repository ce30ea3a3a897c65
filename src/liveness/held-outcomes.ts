import type { KeptOutcomeError } from '../shared/errors.ts';
import type { Outcome } from '../shared/outcome.ts';
import type { RequestKey } from '../shared/request-key.ts';

/** Outcomes of one activity, by the position of their items in it. */
export type Outcomes = ReadonlyMap<number, Outcome>;

/** What was found of them; an error in place of one that cannot be read in this process. */
export type Found = ReadonlyMap<number, Outcome | KeptOutcomeError>;

/** Where other processes find them too. */
export interface OutcomeStore {
  hold(key: RequestKey, outcomes: Outcomes): Promise<void>;
  collect(key: RequestKey, positions: number[], later: number[]): Promise<Found>;
}

interface Held {
  key: RequestKey;
  outcomes: Map<number, Outcome>;
  /** Epoch ms. */
  until: number;
  /** How many are still to be asked for. */
  wanted: number;
}

/** ms for which they wait to be asked for. */
export const HELD_LIFE = 24 * 60 * 60_000;
/** ms after which a store that has not taken them is asked again. */
const STORE_AGAIN = 5_000;
/** ms after which it is asked again whether the workflows of those that are waited for are open. */
const OPEN_AGAIN = 5_000;
/** ms for which the last ones may be asked for again: the answer can be lost. */
export const GIVEN_LIFE = 10 * 60_000;

/**
 * What items of a batch ended with that did not fit into the result of their activity, until the
 * workflow collects it, a part at a time. In the store if there is one; without it, or while it is
 * away, in this process, which another one's answer then sends the workflow back to.
 */
export class HeldOutcomes {
  readonly #store: OutcomeStore | undefined;
  readonly #held = new Map<string, Held>();
  #onCollect: (() => void) | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #storing: NodeJS.Timeout | undefined;

  constructor(store?: OutcomeStore) {
    this.#store = store;
  }

  async hold(key: RequestKey, outcomes: Outcomes): Promise<void> {
    const isStored = await this.#store?.hold(key, outcomes).then(
      () => true,
      () => false,
    );
    // It may be here from a try that failed.
    if (isStored) return void this.#held.delete(nameOf(key));
    const until = Date.now() + HELD_LIFE;
    this.#held.set(nameOf(key), { key, outcomes: new Map(outcomes), until, wanted: outcomes.size });
    this.#expire();
    this.#storeLater();
  }

  /** Those of `positions` that are here. Of the others `later` stay, and the rest is forgotten. */
  async collect(key: RequestKey, positions: number[], later: number[]): Promise<Found> {
    const held = this.#held.get(nameOf(key));
    if (!held) return (await this.#store?.collect(key, positions, later)) ?? new Map();
    const kept = new Set([...positions, ...later]);
    for (const position of held.outcomes.keys()) {
      if (!kept.has(position)) held.outcomes.delete(position);
    }
    held.wanted = later.length;
    if (later.length === 0) {
      held.until = Date.now() + GIVEN_LIFE;
      this.#expire();
    }
    this.#onCollect?.();
    return new Map([...held.outcomes].filter(([position]) => positions.includes(position)));
  }

  /**
   * Waits until all that is held here alone has been asked for, `ms` at most: between two questions a
   * workflow may wait for its sink. Nobody asks for those of a workflow that is not open any more.
   * Resolves with the number of outcomes that are lost.
   */
  async stop(ms: number, isOpen: (workflowId: string) => Promise<boolean>): Promise<number> {
    clearTimeout(this.#storing);
    for (let left = ms; left > 0 && this.#wanted > 0; left -= OPEN_AGAIN) {
      // Not waited for: Temporal may not answer, and there may be questions all the same.
      void this.#forgetClosed(isOpen);
      await this.#allAsked(Math.min(left, OPEN_AGAIN));
    }
    const lost = this.#wanted;
    this.#held.clear();
    clearTimeout(this.#expiry);
    return lost;
  }

  async #forgetClosed(isOpen: (workflowId: string) => Promise<boolean>): Promise<void> {
    const workflowIds = new Set([...this.#held.values()].map(({ key }) => key.workflowId));
    for (const workflowId of workflowIds) {
      if (await isOpen(workflowId).catch(() => true)) continue;
      for (const [name, { key }] of this.#held) {
        if (key.workflowId === workflowId) this.#held.delete(name);
      }
      this.#onCollect?.();
    }
  }

  /** Where others find them once the store is back, and where they outlive this process. */
  #storeLater(): void {
    const store = this.#store;
    if (!store) return;
    clearTimeout(this.#storing);
    this.#storing = setTimeout(() => void this.#storeAgain(store), STORE_AGAIN).unref();
  }

  async #storeAgain(store: OutcomeStore): Promise<void> {
    try {
      for (const [name, held] of this.#held) {
        if (held.wanted === 0) continue;
        await store.hold(held.key, held.outcomes);
        if (this.#held.get(name) === held) this.#held.delete(name);
      }
    } catch {
      this.#storeLater();
    }
  }

  /** Outcomes that are still to be asked for. */
  get #wanted(): number {
    return [...this.#held.values()].reduce((sum, { wanted }) => sum + wanted, 0);
  }

  async #allAsked(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#onCollect = () => {
        if (this.#wanted > 0) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Forgets what nobody has asked for in its time, now and when the next is due. */
  #expire(): void {
    clearTimeout(this.#expiry);
    const now = Date.now();
    let next = Infinity;
    for (const [name, { until }] of this.#held) {
      if (until <= now) this.#held.delete(name);
      else next = Math.min(next, until);
    }
    if (next === Infinity) return;
    this.#expiry = setTimeout(() => this.#expire(), next - now).unref();
  }
}

/** A workflow that was reset, or has continued, has another run id than its activity had. */
export function nameOf({ workflowId, activityId }: RequestKey): string {
  return JSON.stringify([workflowId, activityId]);
}
