import type { FlowAdmin } from '../flow/port.ts';
import type { ProcessorSummary } from '../processor/summary.ts';
import type { TaskPhase } from '../processor/task.ts';
import type { REQUEST_ORDERS } from '../shared/constants.ts';
import type { ErrorType } from '../shared/errors.ts';
import type { RequestKey } from '../shared/request-key.ts';

/** A process as it last described itself. */
export interface FleetProcess extends ProcessorSummary {
  id: string;
  host: string;
  pid: number;
  /** ms until it counts as dead; negative when it does. */
  leaseLeft: number;
}

/** A request in flight. Never its headers, query or body. */
export interface FleetRequest {
  /** Names it to {@link Fleet.cancel}; its `index` is its position in a batch's chunk. */
  key: RequestKey;
  requestId: string;
  method: string;
  host: string;
  path: string;
  phase: TaskPhase;
  /** ms since this process accepted it. */
  age: number;
  /** Of the response body, as they came. */
  bytes: number;
  /** Number of this try, from 1. */
  attempt: number;
  /** The flow key it waits for. */
  waitingFor?: string;
  /** The process that runs it. */
  process: string;
}

/** What requests are sorted by: `age`, `bytes`, `attempt`, `host` or `phase`. */
export type RequestOrder = (typeof REQUEST_ORDERS)[number];

/** Which requests in flight; what is left out does not count. */
export interface RequestQuery {
  /** Part of the method, host, path, request id, workflow id or the flow key waited for. */
  text?: string;
  /** This request alone. */
  key?: RequestKey;
  host?: string;
  phase?: TaskPhase;
  process?: string;
  /** Default `age`: the oldest first. Numbers fall, names rise; `reverse` turns that round. */
  order?: RequestOrder;
  reverse?: boolean;
  /** Rows at most. Default 100. */
  limit?: number;
}

/** Some of the requests in flight. */
export interface RequestPage {
  rows: FleetRequest[];
  /** Requests that the query fits, shown or not. */
  matched: number;
  /** Requests in flight in all processes that answered. */
  total: number;
  /** Ids of processes that did not answer in time. */
  silent: string[];
}

/** An ending that was not a response. */
export interface FailureRecord {
  /** Epoch ms. */
  at: number;
  type: ErrorType;
  message: string;
  method: string;
  host: string;
  path: string;
  requestId: string;
  key: RequestKey;
  /** Of the workflow that asked for it: what is not ready-made cannot be redriven. */
  workflowType?: string | undefined;
  /** Number of the last try. */
  attempt: number;
}

/** An outcome in hand that Temporal does not have yet. */
export interface KeptOutcome {
  key: RequestKey;
  method: string;
  host: string;
  path: string;
  /** Undefined for the outcome of a process that is gone. */
  process: string | undefined;
}

/** One period of {@link Statistics}; endings, not tries, unless said otherwise. */
export interface StatisticsBucket {
  /** Epoch ms at which it begins. */
  start: number;
  /** Requests that ended, with a response or an error. */
  requests: number;
  /** ms, of the last try of each of them that had one, together. */
  duration: number;
  errors: number;
  errorsByType: Record<string, number>;
  /** Responses by status code. */
  statuses: Record<string, number>;
  /** Tries that are followed by another. */
  retries: number;
  /** Times that a request or a poller had to wait for a place. */
  capacityReached: number;
  /** The same one by one: counts by upper bound in ms, `'+Inf'` last. */
  durations: Record<string, number>;
}

/** What has ended, over up to 30 days. */
export interface Statistics {
  /** Sum of all of the last 30 days. */
  totals: StatisticsBucket;
  /** By the hour, oldest first, hours without a request left out. */
  hours: StatisticsBucket[];
  /** By the minute, of the last hour; for charts of now. */
  minutes: StatisticsBucket[];
}

/**
 * All processes of a task queue, as an operator sees and steers them. Over Redis it is the whole
 * fleet, from any process; without Redis it is the process that it lives in.
 */
export interface Fleet {
  /** Whether it sees all processes, or this one alone. */
  readonly scope: 'fleet' | 'process';
  /** As of their last sign of life, the dead ones of late among them. */
  processes(): Promise<FleetProcess[]>;
  /** What is in flight; each process is asked and gives its part, at most `limit` rows of it. */
  requests(query: RequestQuery): Promise<RequestPage>;
  /**
   * Closes the socket, and ends the request as `CancelledError`: to its workflow a failure. Of a
   * batch the key without its `index` is all of a chunk. Nothing happens to one whose ending is on
   * its way to Temporal already.
   * @returns `told` when the process that runs it hears of it; `flagged` when none does now: it ends so
   *   when its process is back at Redis or, but for the item of a batch, with its next attempt, within
   *   ten minutes
   * @throws Error when nothing was done: no process runs this item of a batch; without Redis, this one
   *   does not run it
   */
  cancel(key: RequestKey): Promise<'told' | 'flagged'>;
  /**
   * Lets a process take nothing new, finish what it has, and stop; resolves when it has been told.
   * @throws Error for one that is not there
   */
  drain(process: string): Promise<void>;
  /** Newest first, at most `limit` (default 100) of the last thousand. */
  failures(limit?: number): Promise<FailureRecord[]>;
  /**
   * Those that have been on their way for over a second, and those that dead processes have left;
   * without what the items of batches have ended with. At most `limit` (default 100). Looks through
   * the keys of Redis: for a page, not for every second.
   */
  keptOutcomes(limit?: number): Promise<KeptOutcome[]>;
  /**
   * Of all processes that share the store, over their restarts; without Redis of this one. A few
   * seconds behind; what a killed process had not stored by then is lost.
   */
  statistics(): Promise<Statistics>;
  /** Statistics and failures. */
  clearStatistics(): Promise<void>;
  /** Limits per key, at run time. */
  readonly flow: FlowAdmin;
  /** ms that the store took to answer; undefined without one. Rejects when it does not answer. */
  ping(): Promise<number | undefined>;
}
