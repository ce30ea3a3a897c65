import type { FlowControl, Permit } from '../flow/port.ts';
import type {
  ItemOutcomes,
  Liveness,
  OwnerEvents,
  Registration,
  ReleaseOrphan,
  RequestRecord,
  Whereabouts,
} from '../liveness/port.ts';
import type { Attempt } from '../shared/attempt.ts';
import type { RequestKey } from '../shared/request-key.ts';
import type { Settled } from '../shared/outcome.ts';
import { BoundedLabel } from './bounded-label.ts';
import type { Instruments } from './instruments.ts';

/** Measures the waits of flow keys; what nothing limits is not touched. */
export function meteredFlow(flow: FlowControl, instruments: Instruments): FlowControl {
  const keys = new BoundedLabel();
  return {
    start: () => flow.start(),
    stop: () => flow.stop(),
    acquire(host, limits, signal) {
      const turn = flow.acquire(host, limits, signal);
      if (!turn) return undefined;
      const asked = performance.now();
      const key = keys.of(limits?.key ?? host);
      const onTurn = (): void => {
        instruments.record('patient_flow_wait_seconds', { key }, performance.now() - asked);
      };
      return turn.then((answer) => {
        if (!('later' in answer)) return meteredPermit(answer, onTurn);
        onTurn();
        return answer;
      });
    },
  };
}

/** It is given a little before its time, to have a connection by then. */
function meteredPermit(permit: Permit, onTurn: () => void): Permit {
  return {
    ready(signal) {
      const ready = permit.ready(signal);
      if (ready) return ready.finally(onTurn);
      onTurn();
      return undefined;
    },
    release: (seen) => permit.release(seen),
  };
}

/** Counts what a store answers. */
export class MeteredLiveness implements Liveness {
  readonly #inner: Liveness;
  readonly #instruments: Instruments;

  constructor(inner: Liveness, instruments: Instruments) {
    this.#inner = inner;
    this.#instruments = instruments;
  }

  get usable(): boolean | undefined {
    return this.#inner.usable;
  }

  start(owner: OwnerEvents): Promise<void> {
    return this.#inner.start(owner);
  }

  async register(record: RequestRecord, exclusive: boolean): Promise<Registration> {
    const registration = await this.#inner.register(record, exclusive);
    const { answer } = registration;
    this.#instruments.add('patient_registrations_total', { answer });
    return registration;
  }

  async settle(key: RequestKey, settled: Settled): Promise<boolean> {
    const isKept = await this.#inner.settle(key, settled);
    // Without a store it is kept nowhere but in its task.
    if (isKept && this.usable !== undefined) {
      this.#instruments.add('patient_outcomes_kept_total', {});
    }
    return isKept;
  }

  settledItems(key: RequestKey, count: number): Promise<ItemOutcomes | undefined> {
    return this.#inner.settledItems(key, count);
  }

  release(key: RequestKey, attempt?: Attempt): Promise<boolean> {
    return this.#inner.release(key, attempt);
  }

  leave(key: RequestKey, attempt: Attempt): Promise<boolean> {
    return this.#inner.leave(key, attempt);
  }

  cancel(key: RequestKey): Promise<void> {
    return this.#inner.cancel(key);
  }

  whereabouts(key: RequestKey): Promise<Whereabouts> {
    return this.#inner.whereabouts(key);
  }

  stop(): Promise<void> {
    return this.#inner.stop();
  }
}

/** Counts orphans, and measures how long each takes. */
export function meteredRelease(release: ReleaseOrphan, instruments: Instruments): ReleaseOrphan {
  return async (orphan, go) => {
    const found = performance.now();
    instruments.add('patient_orphans_total', {});
    const isDelivered = await release(orphan, go);
    // Given up half-way, it is found once more by another process.
    if (go()) {
      const end = isDelivered ? 'delivered' : 'requeued';
      instruments.record('patient_recovery_seconds', { end }, performance.now() - found);
    }
    return isDelivered;
  };
}
