import type { ErrorType, ErrorWord } from './errors.ts';
import type { Method } from './constants.ts';

/** Milliseconds, or a Temporal duration string such as `'30s'`. */
export type Duration = number | string;

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A secret by name; its value is resolved in the worker, at send time, and never enters history. */
export interface SecretRef {
  $secret: string;
  /** Put before the value, e.g. `'Bearer '`. */
  prefix?: string;
  /** In a header: HTTP Basic credentials of this user, with the secret as the password. */
  username?: string;
}

export type Scalar = string | number | boolean | null;

export interface RetryOptions {
  /** Tries in all. Default 3. */
  maximumAttempts?: number;
  /** Statuses that are tried again. Default 408, 425, 429, 500, 502, 503, 504. */
  statuses?: number[];
  /** Delay before the second try. Default 1 s. */
  initialInterval?: Duration;
  /** Factor between delays. Default 2. */
  backoffCoefficient?: number;
  /** Longest delay of the back-off. Default 1 min. */
  maximumInterval?: Duration;
  /** A Retry-After above this is cut to it. Default 10 min. */
  maxRetryAfter?: Duration;
}

/** How Temporal retries a failing callback workflow; it never re-runs the request. */
export interface CallbackRetryOptions {
  /** Runs in all. Default 25. */
  maximumAttempts?: number;
  /** Default 1 s. */
  initialInterval?: Duration;
  /** Default 2. */
  backoffCoefficient?: number;
  /** Default 1 h. */
  maximumInterval?: Duration;
}

export interface WorkflowCallback {
  /** Workflow type started with the callback argument. */
  workflow: string;
  /** Its task queue. `patient.submit.*` fills in the caller's own. */
  taskQueue?: string;
  retry?: CallbackRetryOptions;
}

export interface SignalCallback {
  /** Signal sent with the callback argument. */
  signal: string;
  /** The running workflow that receives it. */
  workflowId: string;
}

export type Callback = string | WorkflowCallback | SignalCallback;

/** What the request workflow itself returns when there is a callback. */
export type ResultMode = 'full' | 'status' | 'none';

/** Whether a request whose first byte may have gone out can be sent again. */
export type Resend = 'auto' | 'always' | 'never';

/** `auto`: HTTP/2 where a TLS server offers it, else HTTP/1.1. */
export type Protocol = 'auto' | 'http1' | 'http2';

/** One part of a `multipart/form-data` body, with one of `value`, `valueBase64` and `json`. */
export interface MultipartPart {
  name: string;
  /** Text. */
  value?: string;
  /** Binary. */
  valueBase64?: string;
  json?: unknown;
  /** Makes it a file. */
  filename?: string;
  /**
   * Default `application/json` for `json`, `application/octet-stream` for `valueBase64` and files,
   * none for text.
   */
  contentType?: string;
}

/** Limits that requests with the same key share, in all processes of a queue. */
export interface FlowOptions {
  /** A label, never a secret. Default: the host. */
  key?: string;
  /** Units per `period`; a request is one unit, or its `cost`. */
  rate?: number;
  /** Default 1 s. */
  period?: Duration;
  /** Units that may go at once after a pause. Default 1: evenly. */
  burst?: number;
  /** Requests in flight at once. */
  concurrency?: number;
  /**
   * Units that it takes. With a pointer (RFC 6901) the number found there in the JSON response
   * replaces the estimate afterwards. Default 1.
   */
  cost?: number | { estimate: number; pointer: string };
}

export interface PriorityOptions {
  priorityKey?: number;
  fairnessKey?: string;
  fairnessWeight?: number;
}

/**
 * One HTTP request, as plain JSON. Every field but `url` is optional.
 * Durations are milliseconds or Temporal duration strings; sizes are bytes.
 */
export interface RequestSpec {
  /** http or https, without credentials. */
  url: string;
  /** Default `GET`. */
  method?: Method | Lowercase<Method>;
  headers?: Record<string, string | string[] | SecretRef>;
  /** Appended to the URL's query; an array repeats the key, `null` is a bare key. */
  params?: Record<string, Scalar | Scalar[] | SecretRef>;
  /** Text body. At most one of `body`, `json`, `form`, `bodyBase64`, `multipart`. */
  body?: string;
  /** JSON body; `null` is sent as `null`. */
  json?: unknown;
  /** `application/x-www-form-urlencoded` body. */
  form?: Record<string, Scalar | Scalar[]>;
  /** Binary body. */
  bodyBase64?: string;
  /** `multipart/form-data` body. */
  multipart?: MultipartPart[];
  /** One try: connect, send, all hops, full body. Default 60 s. */
  timeout?: Duration;
  /** Default: the worker's `connectTimeout` (10 s). */
  connectTimeout?: Duration;
  /** From the first byte sent to the response's status line. Default: none but `timeout`. */
  firstByteTimeout?: Duration;
  /** Longest pause between two pieces of the body. Default: none but `timeout`. */
  idleTimeout?: Duration;
  /** Default 5; 0 delivers the 3xx. */
  maxRedirects?: number;
  /** Follow a redirect from https to http. Default false. */
  allowDowngrade?: boolean;
  /** Decoded bytes; default 1 MiB, equal passes. */
  maxResponseSize?: number;
  /** A status outside 2xx becomes `HttpStatusError`. Default false. */
  raiseErrorResponses?: boolean;
  retry?: RetryOptions;
  /** Default `auto`: GET, HEAD, PUT, DELETE and whatever has an idempotency key. */
  resend?: Resend;
  /** `true` sends the request id as `Idempotency-Key`; a string is sent as it is. */
  idempotencyKey?: boolean | string;
  /** All tries together, from first scheduling. */
  deadline?: Duration;
  /** Temporal's own crash detector. Default 3 min. */
  heartbeatTimeout?: Duration;
  callback?: Callback;
  callbackArgs?: Json;
  /** Default `full`. */
  result?: ResultMode;
  /** Run in the worker, in this order, on the request as it is about to go out. */
  preprocessors?: string[];
  protocol?: Protocol;
  /** Default: the worker's `proxyUrl`; `null` goes without. */
  proxyUrl?: string | SecretRef | null;
  flow?: FlowOptions;
  priority?: PriorityOptions;
  /** A label and the `x-request-id` header, stable over tries and redirects. */
  requestId?: string;
}

/** A response as plain JSON. */
export interface WireResponse {
  status: number;
  /** Lower-case names; a repeated header is an array. */
  headers: Record<string, string | string[]>;
  /** `null` for HEAD, 204 and 304. */
  body: string | null;
  bodyEncoding: 'utf8' | 'base64';
  /** Final URL, with its query, without secrets. */
  url: string;
  /** Final method. */
  method: Method;
  /** URLs visited before the final one. */
  redirects: string[];
  requestId: string;
  /** The last try, all hops. */
  durationMs: number;
  /** Try number from 1. */
  attempt: number;
  callbackArgs: Json;
}

/** Where a request was when it ended without a response. */
export type Phase = 'prepare' | 'queued' | 'connect' | 'sent';

/** The one detail of every failure; under 4 KB as JSON. */
export interface FailureDetail {
  errorType: ErrorWord;
  message: string;
  /** Without query, userinfo or secret. */
  url: string;
  method: string;
  requestId: string;
  durationMs: number;
  phase: Phase;
  attempt: number;
  /** Of an `HttpStatusError`; its body is cut to 2 KB. */
  response?: WireResponse & { bodyTruncated?: boolean };
}

/** The form of an error in callbacks and batch items. */
export type WireError = FailureDetail & { type: ErrorType };

/** How a request ended, once and for all: what is kept under its key until Temporal has it. */
export type Outcome =
  { kind: 'response'; response: WireResponse } | { kind: 'error'; error: WireError };

/** How an item of a batch ended in one activity: for good, or with a try that is to be repeated. */
export type Settled = Outcome | { kind: 'retry'; delay: number; error: WireError };

/** How much of each outcome a batch's own result has. */
export type KeepMode = 'all' | 'status' | 'none';

/** Gives a batch its requests page by page: an activity of the user's. */
export interface ActivitySource {
  /** Called with a cursor, `null` at first, and `args`; gives a {@link SourcePage}. */
  activity: string;
  taskQueue: string;
  args?: Json[];
}

export interface SourcePage {
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

export type BatchOutcome = { response: WireResponse } | { error: WireError };

/** Many requests as one workflow. */
export interface BatchSpec {
  /** At most 2 MB of JSON in all; `source` takes any number. */
  requests?: (string | RequestSpec)[];
  source?: ActivitySource | BatchFile;
  /** Fields that all requests share; a request's own win, headers and params are merged. */
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
  callbackArgs?: Json;
}

export interface BatchResult {
  /** In the order of the requests; without a sink, unless `keep` is `none`. */
  outcomes?: BatchOutcome[];
  /** Requests with a response, whatever its status. */
  succeeded: number;
  failed: number;
  sink?: BatchFile | ActivitySink;
}

/** Answer of the query `progress` of a running batch. */
export interface BatchProgressReport {
  /** Requests known so far; of a source that has not ended, those it has given. */
  total: number;
  succeeded: number;
  failed: number;
  /** In activities under way. */
  running: number;
  /** Waiting for their next try. */
  retrying: number;
}

/** The one argument of a callback workflow or signal. */
export interface CallbackArgument {
  requestId: string;
  outcome: 'response' | 'error';
  response?: WireResponse;
  error?: WireError;
  /** In place of `response` when a batch has ended. */
  batch?: Omit<BatchResult, 'outcomes'>;
  callbackArgs: Json;
  /** The request workflow; `runId` is its original run. */
  request: { workflowId: string; runId: string };
}
