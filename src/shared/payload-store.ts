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
  /**
   * Asked at the start. Rejects when the store can evidently not be used: by a worker, which writes, or
   * by `patient codec-server`, which may only have the right to read.
   */
  check?(access: StoreAccess): Promise<void>;
  /**
   * Deletes what was stored before that day, of the form `2026-11-24`: with a `payloadRetention` every
   * worker asks for it once an hour.
   */
  expire?(day: string): Promise<void>;
}

/** What a process does with its payload store: a worker and a client write. */
export type StoreAccess = 'read' | 'write';
