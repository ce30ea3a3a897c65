/** Task queue of the ready-made workflows and the control activities. */
export const DEFAULT_TASK_QUEUE = 'patient-http';

/** The queue of the submit activities; its worker takes only what the processor has room for. */
export function requestsQueue(taskQueue: string): string {
  return `${taskQueue}:requests`;
}

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type Method = (typeof METHODS)[number];

/** How far a request has come in its process, in this order. */
export const TASK_PHASES = ['queued', 'connect', 'sent', 'delivering'] as const;

/** What requests in flight can be sorted by: numbers, which fall, and names, which rise. */
export const REQUEST_ORDERS = ['age', 'bytes', 'attempt', 'host', 'phase'] as const;

/** A secret's name: never a path, where secrets are files. */
export const SECRET_NAME = /^\w[\w.-]{0,127}$/;

/** Temporal refuses a payload above 2 MiB; the difference leaves room for the argument's envelope. */
export const MAX_PAYLOAD_BYTES = 2 * 1024 * 1024;

/** Of callbackArgs: what is nested deeper cannot be relied on to be written as JSON. */
export const MAX_JSON_LEVELS = 100;

/** ms; Node fires timers above this at once. */
export const MAX_TIMER = 2 ** 31 - 1;

/**
 * Encoding of a payload that holds another one, as JSON, which is encoded already: how workflow code
 * hands on what it has not looked into.
 */
export const ENCODED_PAYLOAD = 'patient-http/encoded';

/** In the metadata of an attempt's details: how many attempts could not read them. */
export const UNREAD_METADATA = 'patient-unread';

/** Defaults that workflow code and the worker must agree on. */
export const DEFAULT_TIMEOUT = 60_000;
export const DEFAULT_HEARTBEAT_TIMEOUT = 180_000;

/** ms by which Temporal's own timeout is after a deadline, which the processor enforces: if it cannot. */
export const DEADLINE_BACKSTOP = 30_000;

/** Where Temporal's OpenTelemetry interceptors keep the trace. */
export const TRACE_HEADER = '_tracer-data';

/** What is beyond the few that a list names one by one, together. */
export const OTHERS = '(others)';
