/** Task queue of the ready-made workflows and the control activities. */
export const DEFAULT_TASK_QUEUE = 'patient-http';

/** The queue of the submit activities; its worker takes only what the processor has room for. */
export function requestsQueue(taskQueue: string): string {
  return `${taskQueue}:requests`;
}

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type Method = (typeof METHODS)[number];

/** A secret's name: never a path, where secrets are files. */
export const SECRET_NAME = /^\w[\w.-]{0,127}$/;

/** Temporal refuses a payload above 2 MiB; the difference leaves room for the argument's envelope. */
export const MAX_PAYLOAD_BYTES = 2 * 1024 * 1024;

/** Of callbackArgs: what is nested deeper cannot be relied on to be written as JSON. */
export const MAX_JSON_LEVELS = 100;

/** Defaults that workflow code and the worker must agree on. */
export const DEFAULT_TIMEOUT = 60_000;
export const DEFAULT_HEARTBEAT_TIMEOUT = 180_000;
