import type { ItemResult } from './batch.ts';
import type { JsonPayload } from './json-payload.ts';
import type { CallbackArgument, WireResponse } from './wire.ts';
import type { KeepMode } from './wire-batch.ts';

/** What the caller knows of a request beside its spec. */
export interface SubmitContext {
  /** Used when the spec names none. */
  requestId: string;
  handsOn?: HandsOn;
}

/**
 * What the caller does with the response, where it only hands it on: a large body then need not go
 * through workflow code.
 */
export interface HandsOn {
  /** It is the caller's own result. */
  result: boolean;
  /** It goes to a callback, as the outcome of this workflow. */
  callback?: CallbackArgument['request'];
}

/** In place of a response with a large body: what is handed on, encoded. */
export interface EncodedResponse {
  encoded: { result?: JsonPayload; callback?: JsonPayload };
  /** Without its body. */
  response: WireResponse;
}

/** Identifies a pending submit activity within its namespace. */
export interface ActivityKey {
  workflowId: string;
  runId: string;
  activityId: string;
}

/** A part of a batch, for one activity. */
export interface BatchChunk {
  items: ChunkItem[];
  /** Fields that items share; an item's own win. */
  defaults?: unknown;
  /** How much of a response is reported. What an item's callback needs is reported in full. */
  keep: KeepMode;
  /** Most bytes of JSON for the results. */
  maxBytes: number;
  /** They end in a result of the batch: also those that a payload store would take are to fit. */
  bounded?: boolean;
}

export interface ChunkItem {
  /** In the batch. */
  index: number;
  spec: unknown;
  /** Tries that earlier rounds have made. */
  tries?: number;
  /** Epoch ms at which its first round was scheduled: what its deadline counts from. */
  since?: number;
  /** It has been sent in an earlier round, and what it ended with is lost. */
  sent?: boolean;
}

/** Outcomes that are held for a batch: see `ItemResult`. */
export interface HeldPart {
  /** Of the chunk. */
  activityId: string;
  /** In the chunk. */
  positions: number[];
  /** To be collected later. */
  later: number[];
}

/** Of an outcome that is there and that this process cannot read: why. */
export interface UnreadOutcome {
  unread: string;
}

/** A chunk whose activity has ended without its items' results. */
export interface LostChunk {
  activityId: string;
  /** How many. */
  items: number;
}

export interface BatchContext {
  /** Of the batch: its chunks share a worker's places as one. Items without an id add `/<index>`. */
  requestId: string;
}

/** Activities of the gated worker, on `<taskQueue>:requests`. */
export interface RequestActivities {
  /** Registers the request and returns at once; completed by token with its response. */
  submitRequest(spec: unknown, context: SubmitContext): Promise<WireResponse | EncodedResponse>;
  /** The same for many requests; completed when all of them have ended, or are to be tried again. */
  submitBatch(chunk: BatchChunk, context: BatchContext): Promise<ItemResult[]>;
}

/** A callback workflow that is to be started once. */
export interface CallbackStart {
  workflow: string;
  taskQueue: string;
  workflowId: string;
  /** Intervals in ms. */
  retry: {
    maximumAttempts: number;
    initialInterval: number;
    backoffCoefficient: number;
    maximumInterval: number;
  };
  staticSummary: string;
  argument: CallbackArgument;
}

/** Activities of the ungated worker, on `<taskQueue>`: they answer also when it is full. */
export interface ControlActivities {
  /** Stops a request wherever it runs, faster than a heartbeat would. */
  cancelRequest(key: ActivityKey): Promise<void>;
  /**
   * Holds what items of a chunk have ended with that nobody runs any more, to be collected: the bytes of
   * each as JSON, or null. Null in all for a chunk that no process is known to have begun.
   */
  recoverOutcomes(chunk: LostChunk): Promise<(number | null)[] | null>;
  /** What the items ended with; null for one whose outcome no process has. */
  collectOutcomes(part: HeldPart): Promise<(ItemResult | UnreadOutcome | null)[]>;
  /**
   * Starts callbacks that have not been started. As children they would count among the 2,000 that
   * Temporal lets a workflow have, until they end.
   */
  startCallbacks(callbacks: CallbackStart[]): Promise<void>;
  /** The worker's `callbackTaskQueue`. */
  callbackTaskQueue(): Promise<string | null>;
  /** Requests of a JSON lines file, from a byte offset; `next` is null at its end. */
  readBatchFile(
    file: string,
    offset: number,
  ): Promise<{ requests: unknown[]; next: number | null }>;
  /** Writes lines at a byte offset and gives the next one; what was there before is replaced. */
  writeBatchFile(file: string, offset: number, lines: unknown[]): Promise<number>;
}
