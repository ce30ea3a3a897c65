import type { Callback, Json, RequestSpec, WireError, WireResponse } from './wire.ts';

/** How much of each outcome a batch's own result has. */
export type KeepMode = 'all' | 'status' | 'none';

/** Gives a batch its requests page by page: an activity of the user's. */
export interface ActivitySource {
  /** Called with a cursor, `null` at first, and `args`; gives a {@link SourcePage}. */
  activity: string;
  taskQueue: string;
  /** At most 256 KiB of JSON. */
  args?: Json[];
}

/** What an activity that is the source of a batch gives. */
export interface SourcePage {
  /** URLs or specs, in order. */
  requests: (string | RequestSpec)[];
  /** Of the next page; `null` or left out after the last one. */
  cursor?: Json;
}

/** A file of JSON lines that all workers can reach. */
export interface BatchFile {
  file: string;
}

/** Takes a batch's outcomes: an activity of the user's, called with {@link SinkItem}s. */
export interface ActivitySink {
  activity: string;
  taskQueue: string;
}

/** At least once for each item; `index` says which. */
export type SinkItem = { index: number } & BatchOutcome;

/** How one request of a batch ended. */
export type BatchOutcome = { response: WireResponse } | { error: WireError };

/** Many requests as one workflow. */
export interface BatchSpec {
  /** At most 2 MB of JSON in all; `source` takes any number. */
  requests?: (string | RequestSpec)[];
  /** In place of `requests`: any number of them, a page at a time. */
  source?: ActivitySource | BatchFile;
  /**
   * Fields that all requests share; a request's own win, headers and params are merged. No
   * `requestId`, and no text as `idempotencyKey`: a server would take all requests for one.
   */
  defaults?: Partial<RequestSpec>;
  /** Requests per activity. Default 200, at most 1,000. */
  chunkSize?: number;
  /** Activities at once, over all workers. Default 10, at most 100. */
  concurrency?: number;
  /** What `outcomes` holds. Default `all`; `none` leaves it out. */
  keep?: KeepMode;
  /** Gets every outcome in full, as they come. */
  sink?: BatchFile | ActivitySink;
  /** Runs once, when the batch has ended. Those of single requests are in `requests` or `defaults`. */
  callback?: Callback;
  /** Comes back in the callback; at most 256 KiB of JSON. */
  callbackArgs?: Json;
}

/** How a batch ended; it fails as a whole only when it is wrong as a whole, or cancelled. */
export interface BatchResult {
  /** In the order of the requests; without a sink, unless `keep` is `none`. */
  outcomes?: BatchOutcome[];
  /** Outcomes that are a response, whatever its status. */
  succeeded: number;
  /** Those that are an error, also in place of a response for which the result has no room. */
  failed: number;
  /** Where the outcomes are, when the spec had a sink. */
  sink?: BatchFile | ActivitySink;
}

/** Answer of the query `progress` of a running batch. */
export interface BatchProgressReport {
  /** Requests known so far; of a source that has not ended, those it has given. */
  total: number;
  /** Ended with a response. */
  succeeded: number;
  /** Ended without one. */
  failed: number;
  /** In activities under way. */
  running: number;
  /** Waiting for their next try. */
  retrying: number;
}
