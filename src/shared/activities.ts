import type { ItemResult } from './batch.ts';
import type { KeepMode, WireResponse } from './wire.ts';

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

/** A part of a batch, for one activity. */
export interface BatchChunk {
  items: ChunkItem[];
  /** Fields that items share; an item's own win. */
  defaults?: unknown;
  /** How much of a response is reported. What an item's callback needs is reported in full. */
  keep: KeepMode;
  /** Most bytes of JSON for the results. */
  maxBytes: number;
}

export interface ChunkItem {
  /** In the batch. */
  index: number;
  spec: unknown;
  /** Tries that earlier rounds have made. */
  tries?: number;
  /** Epoch ms at which its first round was scheduled: what its deadline counts from. */
  since?: number;
}

export interface BatchContext {
  /** Items without an id get `<requestId>/<index>`. */
  requestId: string;
  /** Names the batch: its chunks share a worker's places as one. */
  batch: string;
}

/** Activities of the gated worker, on `<taskQueue>:requests`. */
export interface RequestActivities {
  /** Registers the request and returns at once; completed by token with its response. */
  submitRequest(spec: unknown, context: SubmitContext): Promise<WireResponse>;
  /** The same for many requests; completed when all of them have ended, or are to be tried again. */
  submitBatch(chunk: BatchChunk, context: BatchContext): Promise<ItemResult[]>;
}

/** Activities of the ungated worker, on `<taskQueue>`: they answer also when it is full. */
export interface ControlActivities {
  /** Stops a request wherever it runs, faster than a heartbeat would. */
  cancelRequest(key: ActivityKey): Promise<void>;
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
