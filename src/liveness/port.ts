import type { Attempt } from '../shared/attempt.ts';
import type { KeptOutcomeError } from '../shared/errors.ts';
import type { RequestKey } from '../shared/request-key.ts';
import type { Outcome, Settled } from '../shared/outcome.ts';

/** What is known of a request outside the process that runs it. Never its spec. */
export interface RequestRecord {
  key: RequestKey;
  attempt: Attempt;
  method: string;
  host: string;
  path: string;
  /** Of a batch: how many requests it is. */
  items?: number;
  /** Of a batch: what an item ended with and cannot be read is told in its place, and rejects nothing. */
  skipsUnreadable?: boolean;
}

/** What items of a batch ended with before, in order. */
export type ItemOutcomes = (Settled | KeptOutcomeError | undefined)[];

export type Registration =
  /** This process owns the request now. */
  | { answer: 'run'; cancelRequested: CancelledBy | false; settled?: ItemOutcomes }
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
  /**
   * `isItem`: of a batch. Only its large outcomes are put into the payload store for this; undefined
   * for one that is too large to be kept anywhere else.
   */
  seal(key: RequestKey, settled: Settled, isItem: boolean): Promise<string | undefined>;
  open(key: RequestKey, sealed: string): Promise<Settled>;
}

/**
 * Takes an orphan to Temporal until `go` says no. `true`: Temporal has its outcome; `false`: its
 * attempt is failed, or was over already, and the next attempt will register.
 */
export type ReleaseOrphan = (orphan: Orphan, go: () => boolean) => Promise<boolean>;

/**
 * Who asks for a cancel. A workflow's has been, or is about to be, recorded by Temporal too, and ends
 * the activity as cancelled; an operator's has not, and ends it with a failure.
 */
export type CancelledBy = 'workflow' | 'operator';

/** What the store tells a process, by request id (see `keyString`). */
export interface OwnerEvents {
  /** A newer attempt of a request that this process runs. */
  attached(id: string, attempt: Attempt): void;
  cancelled(id: string, by: CancelledBy): void;
  /** Another process has the request now: this one was taken for dead. */
  lost(id: string): void;
  /**
   * The store answers, and has the records of this process: what it did not take meanwhile can be
   * settled again. `replayed`: ids of those whose records, and all that was settled, it had not.
   */
  returned(replayed: ReadonlySet<string>): void;
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
  /** Whether the store behind it can be used now; undefined where there is none. */
  readonly usable: boolean | undefined;
  start(owner: OwnerEvents): Promise<void>;
  /**
   * `exclusive`: waits for the store's word when it is in doubt, for an earlier attempt of this
   * request may have a living owner, and no two may run it.
   * @throws KeptOutcomeError for what cannot be read here; the request is then nobody's
   */
  register(record: RequestRecord, exclusive: boolean): Promise<Registration>;
  /** Keeps the outcome under its key until Temporal has it; false when it could not be kept. */
  settle(key: RequestKey, settled: Settled): Promise<boolean>;
  /** Of a batch that nobody may be running any more; undefined where no attempt of it is known. */
  settledItems(key: RequestKey, count: number): Promise<ItemOutcomes | undefined>;
  /**
   * Forgets the request; false if an attempt newer than the given one attached first and must be
   * ended too. Without an attempt the activity is over.
   */
  release(key: RequestKey, attempt?: Attempt): Promise<boolean>;
  /** {@link release} of what goes on elsewhere: what was settled stays, for the next attempt. */
  leave(key: RequestKey, attempt: Attempt): Promise<boolean>;
  /** Flags the request for cancellation and tells its owner; a later register reads the flag. */
  cancel(key: RequestKey): Promise<void>;
  /** For an attempt that Temporal has fenced: whether a newer one has come, and to whom. */
  whereabouts(key: RequestKey): Promise<Whereabouts>;
  stop(): Promise<void>;
}
