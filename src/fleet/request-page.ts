import type { TaskView } from '../processor/observers.ts';
import { keyString } from '../shared/request-key.ts';
import { limitOf } from '../shared/row-limit.ts';
import type { FleetRequest, KeptOutcome, RequestOrder, RequestPage, RequestQuery } from './port.ts';

/** What one process has to say; `silent` is for who asks. */
export type Page = Omit<RequestPage, 'silent'>;

type Compare<T> = (a: T, b: T) => number;

/** ms that an outcome's usual way to Temporal may take; what is still here then is kept. */
const ON_ITS_WAY = 1_000;

/** What rows are ordered by, of what they are made of. */
const ORDERED_BY: Record<RequestOrder, (task: TaskView) => string | number> = {
  age: (task) => -task.acceptedAt,
  bytes: (task) => task.bytes,
  attempt: (task) => task.tryNumber,
  host: (task) => task.host,
  phase: (task) => task.phase,
};

/** What a page holds and counts of the requests of one process; rows are made of those it shows only. */
export function pageOf(tasks: Iterable<TaskView>, query: RequestQuery, process: string): Page {
  const now = Date.now();
  const fits = filterOf(query);
  const { order = 'age', reverse = false } = query;
  const first = new FirstOf(by(ORDERED_BY[order], reverse), limitOf(query.limit));
  let matched = 0;
  let total = 0;
  for (const task of tasks) {
    total++;
    if (!fits(task)) continue;
    matched++;
    first.add(task);
  }
  const rows = first.sorted.map((task) => rowOf(task, process, now));
  return { rows, matched, total };
}

/** One page of what several processes gave. */
export function mergePages(pages: Page[], query: RequestQuery): Page {
  const { order = 'age', reverse = false } = query;
  const rows = pages.flatMap((page) => page.rows);
  rows.sort(by((row) => row[order], reverse));
  const sum = (count: 'matched' | 'total'): number =>
    pages.reduce((total, page) => total + page[count], 0);
  return {
    rows: rows.slice(0, limitOf(query.limit)),
    matched: sum('matched'),
    total: sum('total'),
  };
}

/** Outcomes that have not got to Temporal in the time that this usually takes. */
export function keptIn(tasks: Iterable<TaskView>, process: string, limit?: number): KeptOutcome[] {
  const before = Date.now() - ON_ITS_WAY;
  const kept: KeptOutcome[] = [];
  for (const { key, request, host, path, outcomeSince } of tasks) {
    if (kept.length === limitOf(limit)) break;
    if (outcomeSince === undefined || outcomeSince > before) continue;
    kept.push({ key, method: request.method, host, path, process });
  }
  return kept;
}

function filterOf({ text, key, host, phase }: RequestQuery): (task: TaskView) => boolean {
  const id = key && keyString(key);
  // Faster by half than lower-casing every text, which counts with ten thousand of them.
  const part = text ? new RegExp(text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'), 'i') : undefined;
  return (task) =>
    // Ids first: making a key's text of each would cost.
    (key === undefined || (task.key.workflowId === key.workflowId && keyString(task.key) === id)) &&
    (host === undefined || task.host === host) &&
    (phase === undefined || task.phase === phase) &&
    (!part || isPartOf(task, part));
}

function isPartOf(task: TaskView, part: RegExp): boolean {
  const { request, host, path, key, waitingFor = '' } = task;
  const { method, requestId } = request;
  const places = [host, path, method, requestId, key.workflowId, waitingFor];
  return places.some((place) => part.test(place));
}

/** Numbers fall, names rise. */
function by<T>(valueOf: (item: T) => string | number, reverse: boolean): Compare<T> {
  const sign = reverse ? -1 : 1;
  return (a, b) => {
    const [x, y] = [valueOf(a), valueOf(b)];
    if (typeof x === 'number') return sign * ((y as number) - x);
    return x === y ? 0 : x < y ? -sign : sign;
  };
}

function rowOf(task: TaskView, process: string, now: number): FleetRequest {
  const { key, request, host, path, phase, acceptedAt, bytes, tryNumber, waitingFor } = task;
  return {
    ...{ key, requestId: request.requestId, method: request.method, host, path, phase, bytes },
    age: now - acceptedAt,
    attempt: tryNumber,
    ...(waitingFor !== undefined && { waitingFor }),
    process,
  };
}

/** The first `limit` of many in an order, without sorting them all. */
class FirstOf<T> {
  readonly #compare: Compare<T>;
  readonly #limit: number;
  #items: T[] = [];
  /** The last that still counts, once there are `limit`. */
  #last: T | undefined;

  constructor(compare: Compare<T>, limit: number) {
    this.#compare = compare;
    this.#limit = limit;
  }

  add(item: T): void {
    if (this.#limit === 0 || (this.#last && this.#compare(item, this.#last) >= 0)) return;
    this.#items.push(item);
    if (this.#items.length >= 2 * this.#limit) this.#cut();
  }

  get sorted(): T[] {
    this.#cut();
    return this.#items;
  }

  #cut(): void {
    this.#items = this.#items.sort(this.#compare).slice(0, this.#limit);
    if (this.#items.length === this.#limit) this.#last = this.#items.at(-1);
  }
}
