import type { Attempt } from '../shared/attempt.ts';
import type { RequestKey } from '../shared/request-key.ts';
import type { Outcome, Settled } from '../shared/wire.ts';

/** What is known of a request outside the process that runs it. Never its spec. */
export interface RequestRecord {
  key: RequestKey;
  attempt: Attempt;
  method: string;
  host: string;
  path: string;
  /** Of a batch: how many requests it is. */
  items?: number;
}

export type Registration =
  /** This process owns the request now. Of a batch, `settled` is what items ended with before. */
  | { answer: 'run'; cancelRequested: boolean; settled?: (Settled | undefined)[] }
  /** It already ended; only the delivery is left. */
  | { answer: 'kept'; outcome: Outcome }
  /** The former owner is alive, has this attempt's token now and goes on with its socket. */
  | { answer: 'attached' }
  /** A newer attempt was registered before. */
  | { answer: 'stale' };

/** A request whose process is gone, with the newest attempt that process had. */
export interface Orphan {
  key: RequestKey;
  attempt: Attempt;
  /** What it ended with, when it ended before its process did. */
  outcome: Outcome | undefined;
}

/** How an outcome is kept: through the payload codec, as secret in a store as it is in history. */
export interface OutcomeSeal {
  seal(key: RequestKey, settled: Settled): Promise<string>;
  open(key: RequestKey, sealed: string): Promise<Settled>;
}

/**
 * Takes an orphan to Temporal until `go` says no. `true`: Temporal has its outcome; `false`: its
 * attempt is failed, or was over already, and the next attempt will register.
 */
export type ReleaseOrphan = (orphan: Orphan, go: () => boolean) => Promise<boolean>;

/** What the store tells a process, by request id (see `keyString`). */
export interface OwnerEvents {
  /** A newer attempt of a request that this process runs. */
  attached(id: string, attempt: Attempt): void;
  cancelled(id: string): void;
  /** Another process has the request now: this one was taken for dead. */
  lost(id: string): void;
  /** What operators see of this process; small, and the same size however much is in flight. */
  describe(): Record<string, unknown>;
}

/** Where a request is registered, and the newest attempt known there. */
export type Whereabouts =
  { owner: 'self' | 'nobody'; attempt: Attempt | undefined } | { owner: 'other' | 'unknown' };

/**
 * Knows which process owns which request, so that a dead one's requests are found and a living
 * one's are never taken. Requests are named by their key, never by one attempt's token.
 */
export interface Liveness {
  start(owner: OwnerEvents): Promise<void>;
  /**
   * `exclusive`: waits for the store's word when it is in doubt, for an earlier attempt of this
   * request may have a living owner, and no two may run it.
   */
  register(record: RequestRecord, exclusive: boolean): Promise<Registration>;
  /** Keeps the outcome under its key until Temporal has it; false when it could not be kept. */
  settle(key: RequestKey, settled: Settled): Promise<boolean>;
  /**
   * Forgets the request; false if an attempt newer than the given one attached first and must be
   * ended too. Without an attempt the activity is over.
   */
  release(key: RequestKey, attempt?: Attempt): Promise<boolean>;
  /** Flags the request for cancellation and tells its owner; a later register reads the flag. */
  cancel(key: RequestKey): Promise<void>;
  /** For an attempt that Temporal has fenced: whether a newer one has come, and to whom. */
  whereabouts(key: RequestKey): Promise<Whereabouts>;
  stop(): Promise<void>;
}
