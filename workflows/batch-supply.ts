import { patched, proxyActivities, sleep } from '@temporalio/workflow';
import type { ControlActivities } from '../src/shared/activities.ts';
import { checkSize } from '../src/shared/spec-size.ts';
import type { CheckedBatch } from '../src/shared/batch-spec.ts';
import { invalidRequest, RequestError } from '../src/shared/errors.ts';
import { looseSpec } from '../src/shared/loose-spec.ts';
import { jsonBytes } from '../src/shared/text.ts';
import type { Json } from '../src/shared/wire.ts';
import type { ActivitySource, BatchFile, SourcePage } from '../src/shared/wire-batch.ts';

/** A chunk's requests and its defaults in bytes of JSON; one request alone may have more. */
const MAX_CHUNK_BYTES = 1024 * 1024;
/** A page has to fit, with what waits, into the argument of a next run. */
const MAX_PAGE_BYTES = 1024 * 1024;
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
export interface SupplyState {
  /** Requests given so far. */
  total: number;
  /** Of the next page; undefined after the last one. */
  cursor?: Json;
  /** A cursor that was given `pages` before, which the next ones are compared with; a new one every so often. */
  mark?: { cursor: string; pages: number };
  /** Not yet sent: the last of those given, as they were given. */
  specs: unknown[];
  waiting: WaitingItem[];
}

/** Gives a batch's requests in chunks: new ones first, then rounds of those to be tried again. */
export class BatchSupply {
  readonly #source: ActivitySource | BatchFile | undefined;
  /** Until all lanes have something to send, and up to MAX_OPEN_BYTES; what began before this does not. */
  readonly #readsForAll: boolean;
  readonly #chunkSize: number;
  /** Of the defaults, as JSON: every chunk and every run has them. */
  readonly #sharedBytes: number;
  readonly #taskQueue: string;
  readonly #refuse: (item: BatchItem, error: RequestError) => void;
  /** Ids in this run, and whose they are. */
  readonly #ids = new Map<string, number>();
  /** Of the pages of this run, as JSON. */
  readonly #cursors = new Set<string>();
  #state: SupplyState;
  #filling: Promise<void> | undefined;
  /** Of `specs` and `waiting`, and of what is given and not yet back, as JSON. */
  #specsBytes: number;
  #waitingBytes: number;
  #givenBytes = 0;

  /** `refuse` takes the requests that can be seen to be wrong before they are sent. */
  constructor(
    { requests = [], source, defaults, chunkSize }: CheckedBatch,
    taskQueue: string,
    state: SupplyState | undefined,
    refuse: (item: BatchItem, error: RequestError) => void,
  ) {
    this.#source = source;
    this.#readsForAll = source !== undefined && patched('batch-reads-for-all');
    this.#chunkSize = chunkSize;
    this.#sharedBytes = jsonBytes(defaults);
    this.#taskQueue = taskQueue;
    this.#refuse = refuse;
    this.#state = state ?? {
      ...{ total: requests.length, specs: [...requests], waiting: [] },
      ...(source && { cursor: null }),
    };
    this.#specsBytes = this.#state.specs.reduce<number>((sum, spec) => sum + sizeOf(spec), 0);
    this.#waitingBytes = bytesOf(this.#state.waiting);
    this.#cursors.add(JSON.stringify(this.#state.cursor));
  }

  get state(): SupplyState {
    return this.#state;
  }

  get total(): number {
    return this.#state.total;
  }

  get retrying(): number {
    return this.#state.waiting.length;
  }

  /** About the bytes of JSON that the next run would be given. */
  get bytes(): number {
    return this.#sharedBytes + this.#specsBytes + this.#waitingBytes;
  }

  /** Whether something of what was read has not ended. */
  get isOpen(): boolean {
    const { specs, waiting } = this.#state;
    return this.#readsForAll && specs.length + waiting.length + this.#givenBytes > 0;
  }

  /** Whether there is something to be read for whoever has nothing to send. */
  get hasMore(): boolean {
    return this.#readsForAll && this.#mayRead;
  }

  get #mayRead(): boolean {
    if (this.#state.cursor === undefined) return false;
    return !this.#readsForAll || this.bytes + this.#givenBytes <= MAX_OPEN_BYTES;
  }

  /** Whether nothing is left, for this run or another. */
  get isEmpty(): boolean {
    const { specs, waiting, cursor } = this.#state;
    return specs.length + waiting.length === 0 && cursor === undefined;
  }

  retry(item: BatchItem, delay: number): void {
    this.#wait([{ ...item, notBefore: Date.now() + delay }]);
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
   * is none now. A round of retries starts when
   * each of its requests may be tried again. `readsOn`: whether the source may be asked for more.
   */
  async next(readsOn: () => boolean): Promise<BatchItem[] | undefined> {
    const { waiting } = this.#state;
    const due = waiting.filter(({ notBefore }) => notBefore <= Date.now()).length;
    if (due >= this.#chunkSize) return this.#round();
    for (;;) {
      const filled = readsOn() ? this.#fill() : this.#filling;
      if (this.#state.specs.length < this.#chunkSize) await filled;
      if (this.#state.specs.length === 0) {
        // Others have taken all of the page.
        if (this.hasMore && readsOn()) continue;
        break;
      }
      const items = this.#cut();
      this.#givenBytes += bytesOf(items);
      return items;
    }
    return waiting.length > 0 ? this.#round() : undefined;
  }

  async #round(): Promise<BatchItem[]> {
    const { waiting } = this.#state;
    // Those that may go first; a Retry-After of minutes does not hold back the rest.
    waiting.sort((a, b) => a.notBefore - b.notBefore || a.index - b.index);
    const items = waiting.splice(0, this.#cutAt(waiting.map(({ spec }) => spec)).count);
    this.#waitingBytes -= bytesOf(items);
    this.#givenBytes += bytesOf(items);
    const delay = Math.max(...items.map(({ notBefore }) => notBefore)) - Date.now();
    try {
      if (delay > 0) await sleep(delay);
    } catch (error) {
      this.#wait(items);
      this.giveBack(items);
      throw error;
    }
    return items
      .toSorted((a, b) => a.index - b.index)
      .map(({ notBefore: _notBefore, ...item }) => item);
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
  #fill(): Promise<void> | undefined {
    const { specs } = this.#state;
    const isAhead = specs.length >= AHEAD * this.#chunkSize || this.#specsBytes >= AHEAD_BYTES;
    if (!this.#mayRead || isAhead) return this.#filling;
    this.#filling ??= this.#read().finally(() => (this.#filling = undefined));
    // Told to whoever waits for it; else the next to read meets it again.
    this.#filling.catch(() => undefined);
    return this.#filling;
  }

  async #read(): Promise<void> {
    do {
      const { cursor = null } = this.#state;
      const page = await this.#page(cursor);
      if (!Array.isArray(page?.requests)) {
        throw invalidRequest('source: expected a page { requests, cursor }, got none');
      }
      const next = page.cursor ?? undefined;
      if (next !== undefined) this.#checkCursor(JSON.stringify(next));
      const bytes = jsonBytes(page);
      if (bytes > MAX_PAGE_BYTES) {
        throw invalidRequest(
          `source: expected pages of at most ${MAX_PAGE_BYTES} bytes of JSON, got ${bytes}`,
        );
      }
      this.#state.specs.push(...page.requests);
      this.#state.total += page.requests.length;
      this.#specsBytes += page.requests.reduce<number>((sum, spec) => sum + sizeOf(spec), 0);
      if (next === undefined) delete this.#state.cursor;
      else this.#state.cursor = next;
    } while (this.#mayRead && this.#needsMore);
  }

  get #needsMore(): boolean {
    return this.#state.specs.length < this.#chunkSize && this.#specsBytes < AHEAD_BYTES;
  }

  /**
   * One that comes again would go round for ever, and send everything again. Of the runs before one is
   * known: a new one after 1, 2, 4, 8, … pages, so that there is no circle that is too long for it.
   */
  #checkCursor(next: string): void {
    const { mark = { cursor: next, pages: 0 } } = this.#state;
    const isMark = mark.pages > 0 && mark.cursor === next;
    if (isMark || this.#cursors.has(next)) {
      throw invalidRequest(`source: gave the cursor ${next} twice`);
    }
    this.#cursors.add(next);
    const pages = mark.pages + 1;
    // A power of two.
    const isDue = (pages & (pages - 1)) === 0;
    this.#state.mark = { cursor: isDue ? next : mark.cursor, pages };
  }

  async #page(cursor: Json): Promise<SourcePage> {
    const source = this.#source!;
    if ('file' in source) {
      const { readBatchFile } = proxyActivities<ControlActivities>({
        taskQueue: this.#taskQueue,
        startToCloseTimeout: '1m',
        summary: `read ${source.file}`,
      });
      const { requests, next } = await readBatchFile(source.file, Number(cursor ?? 0));
      return { requests: requests as SourcePage['requests'], cursor: next };
    }
    const { activity, taskQueue, args = [] } = source;
    const activities = proxyActivities({ taskQueue, startToCloseTimeout: '10m' });
    return (await activities[activity]!(cursor, ...args)) as SourcePage;
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
