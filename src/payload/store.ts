import { createHash } from 'node:crypto';
import { paced, piecesOf } from './bytes.ts';

const ID = /^\d{4}-\d{2}-\d{2}\/[0-9a-f]{64}$/;

/** Ids come out of histories, and become file names. */
export function isClaimId(text: string): boolean {
  return ID.test(text);
}

/**
 * The day makes deletion by age a matter of whole days: what is stored again today is not what a
 * sweep deletes. The digest makes a repeated store idempotent, and tells what was changed.
 */
export async function claimId(bytes: Uint8Array, now = new Date()): Promise<string> {
  return `${dayOf(now)}/${await digest(bytes)}`;
}

export async function matches(id: string, bytes: Uint8Array): Promise<boolean> {
  return id.endsWith(await digest(bytes));
}

export function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10);
}

/** What a store's error says, on one line. */
export function reasonOf(cause: unknown): string {
  const { message, code, name } = cause as NodeJS.ErrnoException;
  return (message || code || name || String(cause)).replace(/\s*\n\s*/g, ' ');
}

async function digest(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of paced(piecesOf(bytes))) hash.update(piece);
  return hash.digest('hex');
}
