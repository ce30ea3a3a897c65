import { proxyActivities } from '@temporalio/workflow';
import type { ControlActivities } from '../src/shared/activities.ts';
import { invalidRequest } from '../src/shared/errors.ts';
import { jsonBytes } from '../src/shared/text.ts';
import type { Json } from '../src/shared/wire.ts';
import type { ActivitySource, BatchFile, SourcePage } from '../src/shared/wire-batch.ts';

/** A page has to fit, with what waits, into the argument of a next run. */
const MAX_PAGE_BYTES = 1024 * 1024;

/** Where a source is, in a form that the next run goes on with. */
export interface SourceState {
  /** Of the next page; undefined after the last one. */
  cursor?: Json;
  /** A cursor that was given `pages` before, which the next ones are compared with; a new one every so often. */
  mark?: { cursor: string; pages: number };
}

/** Reads a batch's requests, a page at a time. */
export class BatchSource {
  readonly #source: ActivitySource | BatchFile;
  readonly #taskQueue: string;
  /** Of the pages of this run, as JSON. */
  readonly #cursors = new Set<string>();

  constructor(source: ActivitySource | BatchFile, taskQueue: string) {
    this.#source = source;
    this.#taskQueue = taskQueue;
  }

  /**
   * The next page's requests, and where the source is then.
   * @throws RequestError `InvalidRequestError` for what is no page
   */
  async read({ cursor = null, mark }: SourceState): Promise<[SourcePage['requests'], SourceState]> {
    this.#cursors.add(JSON.stringify(cursor));
    const page = await this.#page(cursor);
    if (!Array.isArray(page?.requests)) {
      throw invalidRequest('source: expected a page { requests, cursor }, got none');
    }
    const next = nextState(page.cursor ?? undefined, mark);
    if (next.cursor !== undefined) this.#checkCursor(JSON.stringify(next.cursor), mark);
    const bytes = jsonBytes(page);
    if (bytes > MAX_PAGE_BYTES) {
      throw invalidRequest(
        `source: expected pages of at most ${MAX_PAGE_BYTES} bytes of JSON, got ${bytes}`,
      );
    }
    return [page.requests, next];
  }

  async #page(cursor: Json): Promise<SourcePage> {
    const source = this.#source;
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

  /** One that comes again would go round for ever, and send everything again. */
  #checkCursor(next: string, mark: SourceState['mark']): void {
    if (mark?.cursor === next || this.#cursors.has(next)) {
      throw invalidRequest(`source: gave the cursor ${next} twice`);
    }
    this.#cursors.add(next);
  }
}

/**
 * Of the cursors of the runs before one is known: a new one after 1, 2, 4, 8, … pages, so that there is no
 * circle that is too long for it.
 */
function nextState(cursor: Json | undefined, mark: SourceState['mark']): SourceState {
  if (cursor === undefined) return {};
  const pages = (mark?.pages ?? 0) + 1;
  // A power of two.
  const isDue = (pages & (pages - 1)) === 0;
  return { cursor, mark: { cursor: isDue ? JSON.stringify(cursor) : mark!.cursor, pages } };
}
