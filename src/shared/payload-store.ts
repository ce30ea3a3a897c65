/**
 * Where large payloads live, by ids of the form `2026-11-24/<sha256>`. An id stands for one content:
 * to store it again changes nothing.
 */
export interface PayloadStore {
  /** For errors and for the reference in history: no credentials. */
  readonly name: string;
  /** Resolves once the bytes would survive a crash of this process. */
  put(id: string, bytes: Uint8Array): Promise<void>;
  /** Undefined for what is not there; rejects when the store cannot say. */
  get(id: string): Promise<Uint8Array | undefined>;
}
