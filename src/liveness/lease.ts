import type { Attempt } from '../shared/attempt.ts';
import type { Log } from '../shared/log.ts';
import type { CancelledBy, OwnerEvents, RequestRecord } from './port.ts';
import type { Reaper } from './reaper.ts';
import { isRefusal, type RedisConnection } from './redis-connection.ts';
import { RECORD_LIFE, type RedisKeys } from './redis-keys.ts';

export interface LeaseOptions {
  connection: RedisConnection;
  keys: RedisKeys;
  owner: string;
  /** ms */
  leaseTtl: number;
  log: Log;
  /** What this process holds, by request id. */
  records: ReadonlyMap<string, RequestRecord>;
  /** Whether it is about to hold it. */
  isRegistering: (id: string) => boolean;
  /** Replays a record; false when the request is another's by now. */
  adopt: (record: RequestRecord) => Promise<boolean>;
  lost: (id: string) => void;
  returned: OwnerEvents['returned'];
  cancelled: OwnerEvents['cancelled'];
  describe: () => Record<string, unknown>;
  /** Takes over what dead processes held. */
  reaper: Reaper;
}

/** A lease is looked at this long after it has expired, ms. */
const CLAIM_MARGIN = 50;
/** Differences seen this often in a row are no requests that come and go. */
const PATIENCE = 3;

type Renewal = [
  stood: number,
  count: number,
  nextExpiry: number,
  living: number,
  cancels: string[],
];

/**
 * The lease of this process: renewed every third of its time at a cost that does not grow with
 * what is in flight. Each renewal answers how many records Redis has, so that a flush, a failover
 * or a take-over is noticed; when the next other lease would expire, so that nobody polls; and what is
 * to be cancelled, whose message may be lost.
 */
export class Lease {
  readonly #options: LeaseOptions;
  #renewal: NodeJS.Timeout | undefined;
  #claiming: NodeJS.Timeout | undefined;
  #claim: Promise<void> | undefined;
  #stopped = false;
  #underWay = 0;
  #changes = 0;
  #mismatches = 0;
  #dirty = false;
  /** Whose outcomes Redis may have lost, and that nobody has been told of. */
  readonly #replayed = new Set<string>();
  /** Monotonic ms before which this process takes nothing from others. */
  #noClaimBefore = 0;
  #living = 1;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Living processes at the last renewal, this one included. */
  get living(): number {
    return this.#living;
  }

  async start(): Promise<void> {
    const { connection, leaseTtl } = this.#options;
    connection.onReturn(() => {
      // Others come back at the same time as we do: give them the time to renew.
      this.#noClaimBefore = performance.now() + leaseTtl / 2;
      this.#dirty = true;
      this.#schedule(0);
    });
    this.#noClaimBefore = performance.now() + leaseTtl / 2;
    await this.#renew(true);
    this.#schedule(leaseTtl / 3);
  }

  /** Runs a call that changes the number of records, so that renewals do not miscount. */
  async tracked<T>(call: () => Promise<T>): Promise<T> {
    this.#underWay++;
    this.#changes++;
    try {
      return await call();
    } finally {
      this.#underWay--;
    }
  }

  /** A call to Redis failed: what it would have changed is replayed after the next renewal. */
  missed(error: unknown): void {
    this.#dirty = true;
    this.#options.log.debug('A call to Redis failed', { error });
  }

  /** What Redis has under this process though it knows nothing of it goes back to Temporal. */
  recall(ids: string[]): void {
    this.#options.reaper.recall(ids).catch((error: unknown) => this.missed(error));
  }

  /** {@link Reaper.giveUp}; what of it fails is found by the comparison after the next renewal. */
  async giveUp(id: string, attempt: Attempt): Promise<void> {
    await this.tracked(() => this.#options.reaper.giveUp(id, attempt)).catch((error: unknown) =>
      this.missed(error),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#options.reaper.stop();
    clearTimeout(this.#renewal);
    clearTimeout(this.#claiming);
    const { connection, keys, owner } = this.#options;
    const leave = connection.run(
      'leave',
      [keys.leases, keys.processes, keys.records(owner)],
      [owner],
    );
    // Redis may be away; then the lease expires by itself.
    await leave.catch(() => undefined);
  }

  #schedule(ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#renewal);
    this.#renewal = setTimeout(() => {
      void this.#beat();
    }, ms);
  }

  async #beat(): Promise<void> {
    const { leaseTtl, connection } = this.#options;
    try {
      void connection.checkMessages();
      await this.#renew(false);
      connection.served();
      this.#schedule(leaseTtl / 3);
    } catch (error) {
      this.missed(error);
      connection.failed(error as Error);
      // A half-open connection looks like this: the command is not answered, nothing is closed.
      if (connection.usable && !isRefusal(error)) connection.reconnect();
      this.#schedule(leaseTtl / 6);
    }
  }

  async #renew(first: boolean): Promise<void> {
    const { connection, keys, owner, leaseTtl, describe, records, reaper } = this.#options;
    const before = this.#changes;
    const [stood, count, nextExpiry, living, cancels] = (await connection.run(
      'renew',
      [keys.leases, keys.processes, keys.records(owner), keys.cancels(owner)],
      [owner, leaseTtl, JSON.stringify(describe()), RECORD_LIFE],
    )) as Renewal;
    this.#living = living;
    if (cancels.length > 0) await this.#cancel(cancels);
    const quiet = this.#underWay === 0 && this.#changes === before;
    const differs = count !== records.size + reaper.orphans.size;
    this.#mismatches = differs ? this.#mismatches + 1 : 0;
    const suspicious = differs && (quiet || this.#mismatches >= PATIENCE);
    if (!first && (stood === 0 || this.#dirty || suspicious)) await this.#sync();
    this.#scheduleClaim(nextExpiry < 0 ? undefined : nextExpiry);
  }

  /** Those that have heard of it already, or have ended, do not mind. */
  async #cancel(cancels: string[]): Promise<void> {
    const { connection, keys, owner, cancelled } = this.#options;
    const ids = cancels.filter((_, index) => index % 2 === 0);
    for (const [index, id] of ids.entries()) {
      cancelled(id, cancels[2 * index + 1] as CancelledBy);
    }
    await connection.redis.hdel(keys.cancels(owner), ...ids);
  }

  /** Makes what Redis holds for this process equal to what it has. */
  async #sync(): Promise<void> {
    const { connection, keys, owner, records, isRegistering, reaper, adopt, lost, returned, log } =
      this.#options;
    this.#dirty = false;
    this.#mismatches = 0;
    const known = await connection.redis.smembers(keys.records(owner));
    const unknown = known.filter(
      (id) => !records.has(id) && !isRegistering(id) && !reaper.orphans.has(id),
    );
    // Not awaited: orphans wait for Temporal, and the records of the living for nobody.
    this.recall(unknown);
    const there = new Set(known);
    const missing = [...records].filter(([id]) => !there.has(id));
    let taken = 0;
    await Promise.all(
      missing.map(async ([id, record]) => {
        // Before the call, whose answer alone can be lost: the record is then no longer missing.
        this.#replayed.add(id);
        if (await adopt(record)) return;
        this.#replayed.delete(id);
        if (records.get(id) !== record) return;
        taken++;
        lost(id);
      }),
    );
    if (missing.length > 0) {
      log.info('Replayed records in Redis', { replayed: missing.length - taken, lost: taken });
    }
    returned(new Set(this.#replayed));
    this.#replayed.clear();
  }

  #scheduleClaim(untilExpiry: number | undefined): void {
    if (untilExpiry === undefined || this.#stopped || this.#claim) return;
    const grace = this.#noClaimBefore - performance.now();
    const ms = Math.max(untilExpiry + CLAIM_MARGIN, grace);
    clearTimeout(this.#claiming);
    // Later than the next renewal, which will know better, it need not be planned.
    if (ms > this.#options.leaseTtl) return;
    this.#claiming = setTimeout(() => {
      this.#claim = this.#claimExpired().finally(() => {
        this.#claim = undefined;
      });
    }, ms);
  }

  async #claimExpired(): Promise<void> {
    // Planned before a reconnection: others may not have renewed yet.
    if (performance.now() < this.#noClaimBefore) return;
    try {
      const untilNext = await this.#options.reaper.claim();
      this.#claim = undefined;
      this.#scheduleClaim(untilNext);
    } catch (error) {
      this.missed(error);
    }
  }
}
