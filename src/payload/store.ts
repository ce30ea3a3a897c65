import { createHash } from 'node:crypto';
import type { PayloadStore } from '../shared/payload-store.ts';

/** What ours can do beside. */
export interface Store extends PayloadStore {
  /** Rejects when the store can evidently not be used: no such bucket, no right to write. */
  check?(): Promise<void>;
  /** Deletes what was stored before that day, for stores that forget nothing by themselves. */
  expire?(day: string): Promise<void>;
}

const ID = /^\d{4}-\d{2}-\d{2}\/[0-9a-f]{64}$/;

/** Ids come out of histories, and become file names. */
export function isClaimId(text: string): boolean {
  return ID.test(text);
}

/**
 * The day makes deletion by age a matter of whole days: what is stored again today is not what a
 * sweep deletes. The digest makes a repeated store idempotent, and tells what was changed.
 */
export function claimId(bytes: Uint8Array, now = new Date()): string {
  return `${dayOf(now)}/${digest(bytes)}`;
}

export function matches(id: string, bytes: Uint8Array): boolean {
  return id.endsWith(digest(bytes));
}

export function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10);
}

/** What a store's error says, on one line. */
export function reasonOf(cause: unknown): string {
  const { message, code, name } = cause as NodeJS.ErrnoException;
  return (message || code || name || String(cause)).replace(/\s*\n\s*/g, ' ');
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
