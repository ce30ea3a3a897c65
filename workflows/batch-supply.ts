import { condition } from '@temporalio/workflow';
import { checkSize } from '../src/shared/spec-size.ts';
import type { CheckedBatch } from '../src/shared/batch-spec.ts';
import { parseDuration } from '../src/shared/duration.ts';
import { invalidRequest, RequestError } from '../src/shared/errors.ts';
import { looseSpec } from '../src/shared/loose-spec.ts';
import { jsonBytes } from '../src/shared/text.ts';
import { countOfRound, turnOf } from './batch-rounds.ts';
import { BatchSource, type SourceState } from './batch-source.ts';

/** A chunk's requests and its defaults in bytes of JSON; one request alone may have more. */
const MAX_CHUNK_BYTES = 1024 * 1024;
/** Chunks that are read before they are needed, */
const AHEAD = 4;
/** unless they are more bytes of JSON. */
const AHEAD_BYTES = 512 * 1024;
/**
 * The source is not asked for more while so much is read and has not ended: all of it may have to be
 * tried again, and then has to fit, with a page, into the argument of a next run.
 */
const MAX_OPEN_BYTES = 1024 * 1024;
/** What an item adds to its spec in the argument of a next run. */
const ITEM_BYTES = 128;

/** A request of a batch that has not ended. */
export interface BatchItem {
  /** In the batch. */
  index: number;
  spec: unknown;
  tries: number;
  /** Epoch ms at which it was first sent to a worker. */
  since?: number;
  /** What it ended with is lost. */
  sent?: boolean;
}

interface WaitingItem extends BatchItem {
  /** Epoch ms. */
  notBefore: number;
}

/** What is left to be sent, in a form that the next run goes on with. */
export interface SupplyState extends SourceState {
  /** Requests given so far. */
  total: number;
  /** Not yet sent: the last of those given, as they were given. */
  specs: unknown[];
  waiting: WaitingItem[];
}

/** Gives a batch's requests in chunks: new ones first, then rounds of those to be tried again. */
export class BatchSupply {
  readonly #source: BatchSource | undefined;
  readonly #chunkSize: number;
  /** Of the defaults, as JSON: every chunk has them. */
  readonly #sharedBytes: number;
  /** Of the batch without its requests, as JSON: every run has it. */
  readonly #inputBytes: number;
  /** Of requests that state none. */
  readonly #deadline: unknown;
  readonly #refuse: (item: BatchItem, error: RequestError) => void;
  /** Ids in this run, and whose they are. */
  readonly #ids = new Map<string, number>();
  readonly #state: SupplyState;
  #filling: Promise<void> | undefined;
  /** Of `specs` and `waiting`, and of what is given and not yet back, as JSON. */
  #specsBytes: number;
  #waitingBytes: number;
  #givenBytes = 0;
  /** Requests of the round that is to begin next; there is one at a time, and the others may change. */
  #resting = 0;

  /** `refuse` takes the requests that can be seen to be wrong before they are sent. */
  constructor(
    { requests = [], ...input }: CheckedBatch,
    taskQueue: string,
    state: SupplyState | undefined,
    refuse: (item: BatchItem, error: RequestError) => void,
  ) {
    const { source, defaults, chunkSize } = input;
    this.#chunkSize = chunkSize;
    this.#sharedBytes = jsonBytes(defaults);
    this.#inputBytes = jsonBytes(input);
    this.#deadline = defaults?.deadline;
    this.#refuse = refuse;
    this.#state = state ?? {
      ...{ total: requests.length, specs: [...requests], waiting: [] },
      ...(source && { cursor: null }),
    };
    this.#specsBytes = this.#state.specs.reduce<number>((sum, spec) => sum + sizeOf(spec), 0);
    this.#waitingBytes = bytesOf(this.#state.waiting);
    if (source) this.#source = new BatchSource(source, taskQueue);
  }

  get state(): SupplyState {
    return this.#state;
  }

  get total(): number {
    return this.#state.total;
  }

  get retrying(): number {
    return this.#state.waiting.length + this.#resting;
  }

  /** At least so many are left to be given, of what was read. */
  get chunks(): number {
    const { specs, waiting } = this.#state;
    return Math.ceil((specs.length + waiting.length) / this.#chunkSize);
  }

  /** About the bytes of JSON that the next run would be given. */
  get bytes(): number {
    return this.#inputBytes + this.#specsBytes + this.#waitingBytes;
  }

  /** Whether something of what was read has not ended. */
  get isOpen(): boolean {
    const { specs, waiting } = this.#state;
    return specs.length + waiting.length + this.#givenBytes > 0;
  }

  /** Whether there is something for whoever has nothing to send: to wait with, or to be read. */
  hasMore(readsOn: () => boolean): boolean {
    const isWaiting = this.#state.waiting.length > 0 && this.#resting === 0;
    return isWaiting || this.#mayRead(readsOn);
  }

  #mayRead(readsOn: () => boolean): boolean {
    if (this.#state.cursor === undefined || !readsOn()) return false;
    return !this.isOpen || this.bytes + this.#givenBytes <= MAX_OPEN_BYTES;
  }

  /** Whether nothing is left, for this run or another. */
  get isEmpty(): boolean {
    const { specs, waiting, cursor } = this.#state;
    return specs.length + waiting.length === 0 && cursor === undefined;
  }

  /** In `delay` ms; one that is untried waits for its turn. */
  retry(item: BatchItem, delay: number, isUntried = false): void {
    const now = Date.now();
    const due = now + delay;
    this.#wait([{ ...item, notBefore: isUntried ? turnOf(due, now) : due }]);
  }

  /** What is not to be sent any more, of all that is known and not given. */
  takeRest(): BatchItem[] {
    const { specs, waiting, total } = this.#state;
    const first = total - specs.length;
    const rest = [
      ...waiting.splice(0).map(({ notBefore: _notBefore, ...item }) => item),
      ...specs.splice(0).map((spec, i) => ({ index: first + i, spec, tries: 0 })),
    ];
    this.#waitingBytes = this.#specsBytes = 0;
    return rest;
  }

  /** A chunk that was given has ended, but for what is to be tried again. */
  giveBack(items: BatchItem[]): void {
    this.#givenBytes -= bytesOf(items);
  }

  /**
   * The next chunk, to be given back, with nothing in it when all of it was refused; undefined when there
   * is none now. A round of retries starts when each of its requests may be tried again. `readsOn`: whether
   * the source may be asked for more; `stops`: whether nothing is to be sent any more, the rest being
   * left.
   */
  async next(
    readsOn: () => boolean,
    stops: (rest: BatchItem[]) => boolean,
  ): Promise<BatchItem[] | undefined> {
    const { waiting } = this.#state;
    const due = waiting.filter(({ notBefore }) => notBefore <= Date.now()).length;
    if (due >= this.#chunkSize) return this.#round(stops);
    for (;;) {
      const filled = this.#fill(readsOn);
      if (this.#state.specs.length < this.#chunkSize) await filled;
      if (this.#state.specs.length === 0) {
        // Others have taken all of the page.
        if (this.#mayRead(readsOn)) continue;
        break;
      }
      const items = this.#cut();
      this.#givenBytes += bytesOf(items);
      return items;
    }
    return this.#round(stops);
  }

  async #round(stops: (rest: BatchItem[]) => boolean): Promise<BatchItem[] | undefined> {
    const { waiting } = this.#state;
    if (waiting.length === 0) return undefined;
    waiting.sort((a, b) => a.notBefore - b.notBefore || a.index - b.index);
    const first = waiting.slice(0, this.#cutAt(waiting.map(({ spec }) => spec)).count);
    const dues = first.map((item) => ({ ...item, deadlineAt: this.#deadlineOf(item) }));
    const count = countOfRound(dues, Date.now());
    const begin = first[count - 1]!.notBefore;
    const rests = begin > Date.now();
    if (rests && this.#resting > 0) return undefined;
    const items = waiting.splice(0, count);
    this.#waitingBytes -= bytesOf(items);
    this.#givenBytes += bytesOf(items);
    if (rests && !(await this.#rest(items, begin, stops))) return undefined;
    return items
      .toSorted((a, b) => a.index - b.index)
      .map(({ notBefore: _notBefore, ...item }) => item);
  }

  /** Gives whether the round is to begin; not when another, which came meanwhile, is to before it. */
  async #rest(
    items: WaitingItem[],
    begin: number,
    stops: (rest: BatchItem[]) => boolean,
  ): Promise<boolean> {
    const { waiting } = this.#state;
    const isLate = (): boolean => waiting.some(({ notBefore }) => notBefore < begin);
    this.#resting = items.length;
    let begins = false;
    try {
      begins = !(await condition(() => isLate() || stops(items), begin - Date.now()));
    } finally {
      this.#resting = 0;
      if (!begins) {
        this.#wait(items);
        this.giveBack(items);
      }
    }
    return begins;
  }

  #deadlineOf({ since = 0, spec }: BatchItem): number {
    return since + (parseDuration(looseSpec(spec).deadline ?? this.#deadline) ?? Infinity);
  }

  #wait(items: WaitingItem[]): void {
    this.#state.waiting.push(...items);
    this.#waitingBytes += bytesOf(items);
  }

  /** A chunk of new requests, without those that are refused; they can be all of them. */
  #cut(): BatchItem[] {
    const { specs, total } = this.#state;
    const first = total - specs.length;
    const { count, bytes } = this.#cutAt(specs);
    this.#specsBytes -= bytes;
    const items = specs
      .splice(0, count)
      .map((spec, i): BatchItem => ({ index: first + i, spec, tries: 0 }));
    return items.filter((item) => {
      const error = this.#fault(item);
      if (error) this.#refuse(item, error);
      return !error;
    });
  }

  /** How many of the first requests make a chunk, and their bytes. */
  #cutAt(specs: unknown[]): { count: number; bytes: number } {
    let bytes = 0;
    for (const [count, spec] of specs.slice(0, this.#chunkSize).entries()) {
      const more = sizeOf(spec);
      if (this.#sharedBytes + bytes + more > MAX_CHUNK_BYTES && count > 0) return { count, bytes };
      bytes += more;
    }
    return { count: Math.min(specs.length, this.#chunkSize), bytes };
  }

  /** Reads ahead, so that nobody waits for a page; one page at a time. */
  #fill(readsOn: () => boolean): Promise<void> | undefined {
    const { specs } = this.#state;
    const isAhead = specs.length >= AHEAD * this.#chunkSize || this.#specsBytes >= AHEAD_BYTES;
    if (!this.#mayRead(readsOn) || isAhead) return this.#filling;
    this.#filling ??= this.#read(readsOn).finally(() => (this.#filling = undefined));
    // Told to whoever waits for it; else the next to read meets it again.
    this.#filling.catch(() => undefined);
    return this.#filling;
  }

  async #read(readsOn: () => boolean): Promise<void> {
    do {
      const [requests, next] = await this.#source!.read(this.#state);
      delete this.#state.cursor;
      Object.assign(this.#state, next);
      this.#state.specs.push(...requests);
      this.#state.total += requests.length;
      this.#specsBytes += requests.reduce<number>((sum, spec) => sum + sizeOf(spec), 0);
      // Also after thousands of empty pages, each of which is in history.
    } while (this.#mayRead(readsOn) && this.#needsMore);
  }

  get #needsMore(): boolean {
    return this.#state.specs.length < this.#chunkSize && this.#specsBytes < AHEAD_BYTES;
  }

  #fault({ index, spec }: BatchItem): RequestError | undefined {
    const { requestId } = looseSpec(spec);
    if (typeof requestId === 'string') {
      const first = this.#ids.get(requestId);
      if (first !== undefined) {
        return invalidRequest(`requestId: request ${first} of the batch has ${requestId} too`);
      }
      this.#ids.set(requestId, index);
    }
    try {
      checkSize(spec, this.#sharedBytes);
      return undefined;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      return error;
    }
  }
}

/** About the bytes of JSON that they take. */
export function bytesOf(items: BatchItem[]): number {
  return items.reduce((sum, { spec }) => sum + sizeOf(spec) + ITEM_BYTES, 0);
}

/** What cannot be written as JSON is refused by itself. */
function sizeOf(spec: unknown): number {
  try {
    return jsonBytes(spec);
  } catch {
    return 0;
  }
}
