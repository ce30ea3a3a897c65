import type { Fleet, RequestQuery } from '../fleet/port.ts';
import { mostWaitedFor } from '../shared/waiting.ts';
import type { FlowQuery } from '../flow/port.ts';
import { inTime } from '../shared/in-time.ts';
import { Memo } from './memo.ts';
import type { TemporalSide } from './port.ts';

/** A part of a page that cannot be had leaves the other parts readable. */
export type Answer<T> = { value: T } | { problem: string };

/** ms */
const ANSWER_TIMEOUT = 4_000;

/** Less than the pause between two updates of a page, so that each of them is news. */
export const SHARED_FOR = 1_500;

/** ms, of what costs much: a look at every request in Redis, a query to every batch. */
const LONG_SHARED_FOR = 10_000;

/** What pages ask the fleet. However many browsers watch, it is asked once. */
export class Questions {
  readonly #fleet: Fleet;
  readonly #temporal: TemporalSide;
  readonly #memo = new Memo();

  constructor(fleet: Fleet, temporal: TemporalSide) {
    this.#fleet = fleet;
    this.#temporal = temporal;
  }

  get scope(): Fleet['scope'] {
    return this.#fleet.scope;
  }

  processes() {
    return this.#ask('processes', () => this.#fleet.processes());
  }

  requests(query: RequestQuery) {
    return this.#ask(`requests ${JSON.stringify(query)}`, () => this.#fleet.requests(query));
  }

  failures(limit: number) {
    return this.#ask(`failures ${limit}`, () => this.#fleet.failures(limit));
  }

  keptOutcomes(limit: number) {
    const question = () => this.#fleet.keptOutcomes(limit);
    return this.#ask(`kept ${limit}`, question, LONG_SHARED_FOR);
  }

  statistics() {
    return this.#ask('statistics', () => this.#fleet.statistics());
  }

  /** Those that requests wait for come early, and so does the one that is named in full. */
  flowKeys(query: Pick<FlowQuery, 'text' | 'limit'> = {}) {
    return this.#ask(`flow ${JSON.stringify(query)}`, async () => {
      const processes = await this.processes();
      const waiting = 'value' in processes ? mostWaitedFor(processes.value) : [];
      const first = query.text === undefined ? waiting : [query.text, ...waiting];
      return this.#fleet.flow.list({ ...query, first });
    });
  }

  /** ms; undefined without Redis. */
  redis() {
    return this.#ask('redis', () => this.#fleet.ping());
  }

  /** ms */
  temporal(): Promise<Answer<number>> {
    return this.#ask('temporal', async () => {
      const asked = performance.now();
      await this.#temporal.ping();
      return performance.now() - asked;
    });
  }

  batches(limit: number) {
    const question = () => this.#temporal.batches(limit);
    return this.#ask(`batches ${limit}`, question, LONG_SHARED_FOR);
  }

  /** For what has just been changed. */
  forget(): void {
    this.#memo.forget();
  }

  #ask<T>(name: string, question: () => Promise<T>, ttl = SHARED_FOR): Promise<Answer<T>> {
    return this.#memo.get(name, ttl, () => answer(question));
  }
}

async function answer<T>(question: () => Promise<T>): Promise<Answer<T>> {
  const late = (): Error => new Error(`no answer in ${ANSWER_TIMEOUT} ms`);
  try {
    return { value: await inTime(question(), ANSWER_TIMEOUT, late) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
