import type { ErrorType, ErrorWord } from './errors.ts';
import type { Method } from './constants.ts';
import type { BatchResult } from './wire-batch.ts';

/** Milliseconds, or a Temporal duration string such as `'30s'`. */
export type Duration = number | string;

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A secret by name; its value is resolved in the worker, at send time, and never enters history. */
export interface SecretRef {
  /** Its name: a function, a file or a variable of the worker has the value. */
  $secret: string;
  /** Put before the value, e.g. `'Bearer '`. */
  prefix?: string;
  /** In a header: HTTP Basic credentials of this user, with the secret as the password. */
  username?: string;
}

/** A value of a parameter or of a form. */
export type Scalar = string | number | boolean | null;

/** Which endings are tried again, and when. */
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

/** A callback that is a workflow, started by its type. */
export interface WorkflowCallback {
  /** Workflow type started with the callback argument. */
  workflow: string;
  /** Its task queue. `patient.submit.*` fills in the caller's own. */
  taskQueue?: string;
  retry?: CallbackRetryOptions;
}

/** A callback that is a signal. */
export interface SignalCallback {
  /** Signal sent with the callback argument. */
  signal: string;
  /** The running workflow that receives it. */
  workflowId: string;
}

/**
 * What gets the outcome: a workflow type by name, one with its queue, or a signal to a running
 * workflow.
 */
export type Callback = string | WorkflowCallback | SignalCallback;

/** What the request workflow itself returns when there is a callback. */
export type ResultMode = 'full' | 'status' | 'none';

/** Whether a request whose first byte may have gone out can be sent again. */
export type Resend = 'auto' | 'always' | 'never';

/** `auto`: HTTP/2 where a TLS server offers it, else HTTP/1.1. */
export type Protocol = 'auto' | 'http1' | 'http2';

/** One part of a `multipart/form-data` body, with one of `value`, `valueBase64` and `json`. */
export interface MultipartPart {
  /** The field's name. */
  name: string;
  /** Text. */
  value?: string;
  /** Binary. */
  valueBase64?: string;
  /** Any JSON value. */
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

/** Temporal's priority and fairness (see its documentation on task queues). */
export interface PriorityOptions {
  /** 1 goes first, 5 last; Temporal takes 3 without it. */
  priorityKey?: number;
  /** Keys share the workers fairly; at most 64 bytes. */
  fairnessKey?: string;
  /** The key's share; 1 without it. */
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
  /** Names in any case; an array repeats the header. */
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
  /** Default: the options of the worker. */
  retry?: RetryOptions;
  /** Default `auto`: GET, HEAD, PUT, DELETE and whatever has an idempotency key. */
  resend?: Resend;
  /** `true` sends the request id as `Idempotency-Key`; a string is sent as it is. */
  idempotencyKey?: boolean | string;
  /** All tries together, from first scheduling. */
  deadline?: Duration;
  /** Temporal's own crash detector. Default 3 min. */
  heartbeatTimeout?: Duration;
  /** Gets the outcome; only where nobody waits for it: `submit`, ready-made workflows. */
  callback?: Callback;
  /** Comes back in the callback and in the response; at most 256 KiB of JSON. */
  callbackArgs?: Json;
  /** Default `full`. */
  result?: ResultMode;
  /** Run in the worker, in this order, on the request as it is about to go out. */
  preprocessors?: string[];
  /** Default `auto`. */
  protocol?: Protocol;
  /** Default: the worker's `proxyUrl`; `null` goes without. */
  proxyUrl?: string | SecretRef | null;
  /** Limits that it shares with others of its key. */
  flow?: FlowOptions;
  /** Its order among those that wait in Temporal. */
  priority?: PriorityOptions;
  /** A label and the `x-request-id` header, stable over tries and redirects. */
  requestId?: string;
}

/** A response as plain JSON. */
export interface WireResponse {
  /** As the server sent it; any status is a response. */
  status: number;
  /** Lower-case names; a repeated header is an array. */
  headers: Record<string, string | string[]>;
  /** `null` for HEAD, 204 and 304. */
  body: string | null;
  /** `utf8` for text that is valid in its charset, `base64` for everything else. */
  bodyEncoding: 'utf8' | 'base64';
  /** Final URL, with its query, without secrets. */
  url: string;
  /** Final method. */
  method: Method;
  /** URLs visited before the final one. */
  redirects: string[];
  /** That of the spec, or the default. */
  requestId: string;
  /** The last try, all hops. */
  durationMs: number;
  /** Try number from 1. */
  attempt: number;
  /** Those of the spec; `null` without. */
  callbackArgs: Json;
}

/** Where a request was when it ended without a response. */
export type Phase = 'prepare' | 'queued' | 'connect' | 'sent';

/** The one detail of every failure; under 4 KB as JSON. */
export interface FailureDetail {
  /** The word for `type`. */
  errorType: ErrorWord;
  /** Method, URL without its query, and what went wrong. */
  message: string;
  /** Without query, userinfo or secret. */
  url: string;
  /** Of the request as it was made. */
  method: string;
  /** That of the spec, or the default. */
  requestId: string;
  /** Of the last try, all hops; 0 without one. */
  durationMs: number;
  /** How far it came: only in `sent` the server can have acted on it. */
  phase: Phase;
  /** Number of the last try, from 1. */
  attempt: number;
  /** Of an `HttpStatusError`; its body is cut to 2 KB. */
  response?: WireResponse & { bodyTruncated?: boolean };
}

/** The form of an error in callbacks and batch items. */
export type WireError = FailureDetail & { type: ErrorType };

/** The one argument of a callback workflow or signal. */
export interface CallbackArgument {
  /** Of the request; of a batch `<workflow id>/<run id>`. */
  requestId: string;
  /** Which of the following there is. */
  outcome: 'response' | 'error';
  /** With the outcome `response`. */
  response?: WireResponse;
  /** With the outcome `error`: a failure, a refused spec, a cancel, the deadline. */
  error?: WireError;
  /** In place of `response` when a batch has ended. */
  batch?: Omit<BatchResult, 'outcomes'>;
  /** Those of the spec; `null` without. */
  callbackArgs: Json;
  /** The request workflow; `runId` is its original run. */
  request: { workflowId: string; runId: string };
}
