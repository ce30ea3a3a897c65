import { CancellationScope, proxyActivities, sleep } from '@temporalio/workflow';
import type { ControlActivities } from '../src/shared/activities.ts';
import { checkSize } from '../src/shared/spec-size.ts';
import type { CheckedBatch } from '../src/shared/batch-spec.ts';
import { invalidRequest, RequestError } from '../src/shared/errors.ts';
import { looseSpec } from '../src/shared/loose-spec.ts';
import { jsonBytes } from '../src/shared/text.ts';
import type { ActivitySource, BatchFile, Json, SourcePage } from '../src/shared/wire.ts';

/** A chunk's requests in bytes of JSON; one request alone may have more. */
const MAX_CHUNK_BYTES = 1024 * 1024;
/** A page has to fit, with what waits, into the argument of a next run. */
const MAX_PAGE_BYTES = 1024 * 1024;
/** Chunks that are read before they are needed. */
const AHEAD = 4;
/** So much that is to be tried again goes before what is new, in bytes of JSON. */
const MAX_WAITING_BYTES = 128 * 1024;

/** A request of a batch that has not ended. */
export interface BatchItem {
  /** In the batch. */
  index: number;
  spec: unknown;
  tries: number;
  /** Epoch ms at which it was first sent to a worker. */
  since?: number;
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
  /** Not yet sent: the last of those given, as they were given. */
  specs: unknown[];
  waiting: WaitingItem[];
}

/** Gives a batch's requests in chunks: new ones first, then rounds of those to be tried again. */
export class BatchSupply {
  readonly #source: ActivitySource | BatchFile | undefined;
  readonly #chunkSize: number;
  readonly #taskQueue: string;
  readonly #refuse: (item: BatchItem, error: RequestError) => void;
  /** Ids in this run, and whose they are. */
  readonly #ids = new Map<string, number>();
  #state: SupplyState;
  #filling: Promise<void> | undefined;
  #waitingBytes: number;

  /** `refuse` takes the requests that can be seen to be wrong before they are sent. */
  constructor(
    { requests = [], source, chunkSize }: CheckedBatch,
    taskQueue: string,
    state: SupplyState | undefined,
    refuse: (item: BatchItem, error: RequestError) => void,
  ) {
    this.#source = source;
    this.#chunkSize = chunkSize;
    this.#taskQueue = taskQueue;
    this.#refuse = refuse;
    this.#state = state ?? {
      ...{ total: requests.length, specs: [...requests], waiting: [] },
      ...(source && { cursor: null }),
    };
    this.#waitingBytes = bytesOf(this.#state.waiting);
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

  /** Whether nothing is left, for this run or another. */
  get isEmpty(): boolean {
    const { specs, waiting, cursor } = this.#state;
    return specs.length + waiting.length === 0 && cursor === undefined;
  }

  retry(item: BatchItem, delay: number): void {
    this.#wait([{ ...item, notBefore: Date.now() + delay }]);
  }

  /**
   * The next chunk; undefined when there is none now. A round of retries starts when each of its
   * requests may be tried again.
   */
  async next(): Promise<BatchItem[] | undefined> {
    const { waiting } = this.#state;
    const due = waiting.filter(({ notBefore }) => notBefore <= Date.now()).length;
    if (due >= this.#chunkSize || this.#waitingBytes > MAX_WAITING_BYTES) return this.#round();
    for (;;) {
      const filled = this.#fill();
      if (this.#state.specs.length < this.#chunkSize) await filled;
      if (this.#state.specs.length === 0) break;
      const items = this.#cut();
      if (items.length > 0) return items;
    }
    return waiting.length > 0 ? this.#round() : undefined;
  }

  async #round(): Promise<BatchItem[]> {
    const { waiting } = this.#state;
    // Those that may go first; a Retry-After of minutes does not hold back the rest.
    waiting.sort((a, b) => a.notBefore - b.notBefore || a.index - b.index);
    const items = waiting.splice(0, this.#count(waiting.map(({ spec }) => spec)));
    this.#waitingBytes -= bytesOf(items);
    const delay = Math.max(...items.map(({ notBefore }) => notBefore)) - Date.now();
    try {
      if (delay > 0) await sleep(delay);
    } catch (error) {
      this.#wait(items);
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
    const items = specs
      .splice(0, this.#count(specs))
      .map((spec, i): BatchItem => ({ index: first + i, spec, tries: 0 }));
    return items.filter((item) => {
      const error = this.#fault(item);
      if (error) this.#refuse(item, error);
      return !error;
    });
  }

  /** How many of the first requests make a chunk. */
  #count(specs: unknown[]): number {
    let bytes = 0;
    for (const [count, spec] of specs.slice(0, this.#chunkSize).entries()) {
      bytes += sizeOf(spec);
      if (bytes > MAX_CHUNK_BYTES && count > 0) return count;
    }
    return Math.min(specs.length, this.#chunkSize);
  }

  /** Reads ahead, so that nobody waits for a page; one page at a time. */
  #fill(): Promise<void> | undefined {
    const { cursor, specs } = this.#state;
    if (cursor === undefined || specs.length >= AHEAD * this.#chunkSize) return this.#filling;
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
      if (next !== undefined && JSON.stringify(next) === JSON.stringify(cursor)) {
        throw invalidRequest(`source: gave the cursor ${JSON.stringify(cursor)} twice`);
      }
      const bytes = jsonBytes(page);
      if (bytes > MAX_PAGE_BYTES) {
        throw invalidRequest(
          `source: expected pages of at most ${MAX_PAGE_BYTES} bytes of JSON, got ${bytes}`,
        );
      }
      this.#state.specs.push(...page.requests);
      this.#state.total += page.requests.length;
      if (next === undefined) delete this.#state.cursor;
      else this.#state.cursor = next;
    } while (this.#state.cursor !== undefined && this.#state.specs.length < this.#chunkSize);
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
      checkSize(spec);
      return undefined;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      return error;
    }
  }
}

function bytesOf(items: WaitingItem[]): number {
  return items.reduce((sum, { spec }) => sum + sizeOf(spec), 0);
}

/** What cannot be written as JSON is refused by itself. */
function sizeOf(spec: unknown): number {
  try {
    return jsonBytes(spec);
  } catch {
    return 0;
  }
}

export function isStopped(): boolean {
  return CancellationScope.current().consideredCancelled;
}
