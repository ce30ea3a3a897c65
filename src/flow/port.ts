import type { FlowLimits, ResolvedFlow } from '../shared/flow-limits.ts';
import type { HeldResponse } from '../shared/held-response.ts';

/** What a try has seen, as far as its key learns from it. */
export type Seen =
  | (Pick<HeldResponse, 'status' | 'body' | 'bodyEncoding'> & {
      /** ms, of Retry-After and its kin. */
      retryAfter: number | undefined;
    })
  | 'failed'
  /** Nothing was sent, or it was stopped from outside. */
  | 'nothing';

/** The wait is long: come back in `later` ms instead of holding memory meanwhile. */
export interface Later {
  later: number;
}

/** Leave to send one request. */
export interface Permit {
  /**
   * Asked right before the first byte goes out. Undefined: now. A promise: when it resolves,
   * unless it resolves to a {@link Later}: then not at all.
   */
  ready(signal: AbortSignal): Promise<Later | undefined> | undefined;
  /** Gives it back; a no-op the second time. */
  release(seen: Seen): void;
}

/** Limits of many requests to one target, by key. */
export interface FlowControl {
  start(): Promise<void>;
  /**
   * Leave to send a request, in its key's order. Undefined, at no cost, where nothing limits it.
   * Rejects with the signal's reason when it aborts first.
   */
  acquire(
    host: string,
    flow: ResolvedFlow | undefined,
    signal: AbortSignal,
  ): Promise<Permit | Later> | undefined;
  stop(): Promise<void>;
}

/** What was set at run time: it goes before specs and options. */
export interface Override extends FlowLimits {
  paused?: boolean;
}

/** A key as operators see it. */
export interface FlowKey {
  key: string;
  paused: boolean;
  /** Set at run time; `{}` when nothing was. */
  override: Override;
  /** What counts now: what specs and options last said, and before that what was set at run time. */
  limits: FlowLimits;
  /** Requests that have leave now. */
  inFlight: number;
  /** ms until the next request may go by the rate. */
  nextIn: number;
  /** ms until the end of a cool-down or an open breaker. */
  coolFor: number;
  /** Failures in a row. */
  failures: number;
}

/** Which flow keys; what is left out does not count. */
export interface FlowQuery {
  /** Part of the key. */
  text?: string;
  /** Of rows; default 100, at most 1,000. */
  limit?: number;
  /** Keys that come before all that are neither paused nor cooling, such as those waited for. */
  first?: readonly string[];
}

/** Paused keys first, then cooling ones, then those waited for; each by name. */
export interface FlowPage {
  rows: FlowKey[];
  /** Keys that the query fits, shown or not. */
  matched: number;
  total: number;
}

/** What operators do with keys at run time; it reaches every process of the queue. */
export interface FlowAdmin {
  /**
   * Keys of the last day, and those with something set. Of more than 10,000, those not used for longest
   * are only counted, unless `first` names them.
   */
  list(query?: FlowQuery): Promise<FlowPage>;
  /** One key, known or not. */
  show(key: string): Promise<FlowKey>;
  /**
   * Adds to what was set before: what is not named stays as it is in force, a rate's period too (1 s
   * where the key has no rate). `undefined` takes all of it back, a pause included.
   * @throws ConfigError for a period or a burst of a key that has no rate
   */
  set(key: string, limits: FlowLimits | undefined): Promise<void>;
  /** What is in flight goes on; nothing new is sent. */
  pause(key: string): Promise<void>;
  /** Takes back a pause. */
  resume(key: string): Promise<void>;
}

/** What counts of what specs and options say and what was set at run time. */
export function inForce(stated: FlowLimits = {}, override: Override): FlowLimits {
  const { paused: _, ...set } = override;
  return { ...stated, ...set };
}
