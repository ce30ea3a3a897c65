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
  buffer: BatchItem[];
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
    this.#state = state ?? { total: 0, buffer: [], waiting: [], ...(source && { cursor: null }) };
    if (!state) this.#add(requests);
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

  retry(item: BatchItem, delay: number): void {
    this.#state.waiting.push({ ...item, notBefore: Date.now() + delay });
  }

  /**
   * The next chunk; undefined when there is none now. A round of retries starts when each of its
   * requests may be tried again.
   */
  async next(): Promise<BatchItem[] | undefined> {
    const { waiting } = this.#state;
    const isRoundDue = waiting.filter(({ notBefore }) => notBefore <= Date.now()).length;
    if (isRoundDue >= this.#chunkSize) return this.#round();
    await (this.#filling ??= this.#fill().finally(() => (this.#filling = undefined)));
    const { buffer } = this.#state;
    if (buffer.length > 0) return buffer.splice(0, this.#cut(buffer));
    return waiting.length > 0 ? this.#round() : undefined;
  }

  async #round(): Promise<BatchItem[]> {
    const { waiting } = this.#state;
    // Those that may go first; a Retry-After of minutes does not hold back the rest.
    waiting.sort((a, b) => a.notBefore - b.notBefore || a.index - b.index);
    const items = waiting.splice(0, Math.min(this.#chunkSize, this.#cut(waiting)));
    const delay = Math.max(...items.map(({ notBefore }) => notBefore)) - Date.now();
    try {
      if (delay > 0) await sleep(delay);
    } catch (error) {
      waiting.push(...items);
      throw error;
    }
    return items
      .toSorted((a, b) => a.index - b.index)
      .map(({ notBefore: _notBefore, ...item }) => item);
  }

  /** How many of the first items make a chunk. */
  #cut(items: BatchItem[]): number {
    let bytes = 0;
    for (const [count, { spec }] of items.slice(0, this.#chunkSize).entries()) {
      bytes += jsonBytes(spec);
      if (bytes > MAX_CHUNK_BYTES && count > 0) return count;
    }
    return Math.min(items.length, this.#chunkSize);
  }

  async #fill(): Promise<void> {
    while (this.#state.cursor !== undefined && this.#state.buffer.length < this.#chunkSize) {
      const { cursor } = this.#state;
      // Before the page is used, so that a run that ends here asks for it again.
      const page = await this.#page(cursor);
      if (!Array.isArray(page?.requests)) {
        throw invalidRequest('source: expected a page { requests, cursor }, got none');
      }
      const next = page.cursor ?? undefined;
      if (next !== undefined && JSON.stringify(next) === JSON.stringify(cursor)) {
        throw invalidRequest(`source: gave the cursor ${JSON.stringify(cursor)} twice`);
      }
      this.#add(page.requests);
      if (next === undefined) delete this.#state.cursor;
      else this.#state.cursor = next;
    }
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

  #add(specs: unknown[]): void {
    for (const spec of specs) {
      const item = { index: this.#state.total++, spec, tries: 0 };
      const error = this.#fault(item);
      if (error) this.#refuse(item, error);
      else this.#state.buffer.push(item);
    }
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

export function isStopped(): boolean {
  return CancellationScope.current().consideredCancelled;
}
