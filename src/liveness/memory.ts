import { isNewer, type Attempt } from '../shared/attempt.ts';
import { keyString, type RequestKey } from '../shared/request-key.ts';
import { CANCEL_FLAG_TTL } from './cancel.ts';
import type { Liveness, OwnerEvents, Registration, RequestRecord, Whereabouts } from './port.ts';

/**
 * Liveness within one process: re-attachment and fast cancel work, a crash is left to Temporal's
 * heartbeat timeout. Outcomes in hand live in their task until Temporal has them.
 */
export class MemoryLiveness implements Liveness {
  readonly usable = undefined;
  readonly #owned = new Map<string, Attempt>();
  /** id → epoch ms at which the flag expires; insertion order is expiry order. */
  readonly #cancelFlags = new Map<string, number>();
  #owner: OwnerEvents | undefined;

  async start(owner: OwnerEvents): Promise<void> {
    this.#owner = owner;
  }

  async register({ key, attempt }: RequestRecord): Promise<Registration> {
    const id = keyString(key);
    const current = this.#owned.get(id);
    if (current && isNewer(current, attempt)) return { answer: 'stale' };
    this.#owned.set(id, attempt);
    if (current) {
      this.#owner?.attached(id, attempt);
      return { answer: 'attached' };
    }
    return { answer: 'run', cancelRequested: this.#takeCancelFlag(id) && 'workflow' };
  }

  /** An outcome in hand lives in its task until Temporal has it: there is nowhere safer. */
  async settle(): Promise<boolean> {
    return false;
  }

  async settledItems(): Promise<undefined> {
    return undefined;
  }

  async release(key: RequestKey, attempt?: Attempt): Promise<boolean> {
    const id = keyString(key);
    const current = this.#owned.get(id);
    if (current && attempt && isNewer(current, attempt)) return false;
    this.#owned.delete(id);
    return true;
  }

  leave(key: RequestKey, attempt: Attempt): Promise<boolean> {
    return this.release(key, attempt);
  }

  async cancel(key: RequestKey): Promise<void> {
    const id = keyString(key);
    if (this.#owned.has(id)) {
      this.#owner?.cancelled(id, 'workflow');
      return;
    }
    this.#expireCancelFlags();
    this.#cancelFlags.set(id, Date.now() + CANCEL_FLAG_TTL);
  }

  async whereabouts(key: RequestKey): Promise<Whereabouts> {
    const attempt = this.#owned.get(keyString(key));
    return { owner: attempt ? 'self' : 'nobody', attempt };
  }

  async stop(): Promise<void> {
    this.#owner = undefined;
    this.#owned.clear();
    this.#cancelFlags.clear();
  }

  #takeCancelFlag(id: string): boolean {
    this.#expireCancelFlags();
    return this.#cancelFlags.delete(id);
  }

  #expireCancelFlags(): void {
    const now = Date.now();
    for (const [id, expiry] of this.#cancelFlags) {
      if (expiry > now) return;
      this.#cancelFlags.delete(id);
    }
  }
}
