import type { WireResponse } from './wire.ts';

/** What the caller knows of a request beside its spec. */
export interface SubmitContext {
  /** Used when the spec names none. */
  requestId: string;
}

/** Identifies a pending submit activity within its namespace. */
export interface ActivityKey {
  workflowId: string;
  runId: string;
  activityId: string;
}

/** Activities of the gated worker, on `<taskQueue>:requests`. */
export interface RequestActivities {
  /** Registers the request and returns at once; completed by token with its response. */
  submitRequest(spec: unknown, context: SubmitContext): Promise<WireResponse>;
}

/** Activities of the ungated worker, on `<taskQueue>`: they answer also when it is full. */
export interface ControlActivities {
  /** Stops a request wherever it runs, faster than a heartbeat would. */
  cancelRequest(key: ActivityKey): Promise<void>;
  /** The worker's `callbackTaskQueue`. */
  callbackTaskQueue(): Promise<string | null>;
}
