import type { Attempt } from '../shared/attempt.ts';
import type { RequestKey } from '../shared/request-key.ts';
import type { Outcome } from '../shared/wire.ts';

/** What is known of a request outside the process that runs it. Never its spec. */
export interface RequestRecord {
  key: RequestKey;
  attempt: Attempt;
  method: string;
  host: string;
  path: string;
}

export type Registration =
  /** This process owns the request now. */
  | { answer: 'run'; cancelRequested: boolean }
  /** It already ended; only the delivery is left. */
  | { answer: 'kept'; outcome: Outcome }
  /** The former owner is alive, has this attempt's token now and goes on with its socket. */
  | { answer: 'attached' }
  /** A newer attempt was registered before. */
  | { answer: 'stale' };

/** What the store tells the owner of a request. */
export interface OwnerEvents {
  attached(id: string, attempt: Attempt): void;
  cancelled(id: string): void;
}

/**
 * Knows which process owns which request, so that a dead one's requests are found and a living
 * one's are never taken. Requests are named by their key, never by one attempt's token.
 */
export interface Liveness {
  start(owner: OwnerEvents): Promise<void>;
  register(record: RequestRecord): Promise<Registration>;
  /** Keeps the outcome under its key before it goes to Temporal. */
  settle(key: RequestKey, attempt: Attempt, outcome: Outcome): Promise<void>;
  /** Forgets the request; false if a newer attempt attached first and must be ended too. */
  release(key: RequestKey, attempt: Attempt): Promise<boolean>;
  /** Flags the request for cancellation and tells its owner; a later register reads the flag. */
  cancel(key: RequestKey): Promise<void>;
  stop(): Promise<void>;
}
