import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Attempt } from '../shared/attempt.ts';
import { KeptOutcomeError } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import { keyString, type RequestKey } from '../shared/request-key.ts';
import { CANCEL_FLAG_TTL, cancelInRedis } from './cancel.ts';
import type { Outcome, Settled } from '../shared/outcome.ts';
import { KeptOutcomes } from './kept-outcomes.ts';
import { Lease } from './lease.ts';
import type {
  CancelledBy,
  ItemOutcomes,
  Liveness,
  OutcomeSeal,
  OwnerEvents,
  Registration,
  ReleaseOrphan,
  RequestRecord,
  Whereabouts,
} from './port.ts';
import { Reaper } from './reaper.ts';
import { toAttempt } from './redis-attempt.ts';
import { isRefusal, RedisConnection } from './redis-connection.ts';
import { keysOf, ORPHAN_LIFE, RECORD_LIFE, type RedisKeys } from './redis-keys.ts';

export interface RedisLivenessOptions {
  url: string;
  namespace: string;
  taskQueue: string;
  /** ms without a renewal after which this process counts as dead. */
  leaseTtl: number;
  releaseOrphan: ReleaseOrphan;
  seal: OutcomeSeal;
  log: Log;
}

/** What else a process keeps in Redis under its lease goes by the same connection and names. */
export interface RedisAccess {
  connection: RedisConnection;
  keys: RedisKeys;
  owner: string;
}

/** Silences of Redis after which a start gives up. */
const START_TRIES = 3;

/** Newer than any attempt. */
const WHATEVER: Attempt = {
  number: Number.MAX_SAFE_INTEGER,
  scheduledAt: Number.MAX_SAFE_INTEGER,
  token: new Uint8Array(),
};

/** As register-3.lua gives it. */
type Registered = [answer: string, payload?: string, ...sizes: number[]];

type Message =
  | [kind: 'cancelled', id: string, by: CancelledBy]
  | [kind: 'lost', id: string]
  | [kind: 'attached', id: string, number, number, token: string, progress: string];

/**
 * Liveness over Redis: one lease per process, one record per request. All decisions fall in
 * scripts, by the clock of Redis, fenced by owner and attempt. While Redis is away every method
 * answers as if this process were alone, and the records are replayed when it is back.
 */
export class RedisLiveness implements Liveness {
  readonly #options: RedisLivenessOptions;
  readonly #owner = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;
  readonly #keys: RedisKeys;
  readonly #records = new Map<string, RequestRecord>();
  /** Not yet this process's: Redis has not said so. */
  readonly #registering = new Map<string, RequestRecord>();
  #connection!: RedisConnection;
  #lease: Lease | undefined;
  #kept!: KeptOutcomes;
  #events!: OwnerEvents;

  constructor(options: RedisLivenessOptions) {
    this.#options = options;
    this.#keys = keysOf(options.namespace, options.taskQueue);
  }

  /** The name of this process. */
  get owner(): string {
    return this.#owner;
  }

  /**
   * For what else this process keeps in Redis under its lease.
   * @throws Error before the start
   */
  get access(): RedisAccess {
    if (!this.#connection) throw new Error('The worker has not started');
    return { connection: this.#connection, keys: this.#keys, owner: this.#owner };
  }

  /** Processes of the queue at the last renewal of the lease, this one included. */
  get living(): number {
    return this.#lease?.living ?? 1;
  }

  get usable(): boolean {
    return this.#connection?.usable ?? false;
  }

  async start(events: OwnerEvents): Promise<void> {
    const { url, leaseTtl, log } = this.#options;
    this.#events = events;
    for (let tries = 1; ; tries++) {
      this.#connection = await RedisConnection.open({ url, timeout: leaseTtl / 3, log });
      try {
        return await this.#join(events);
      } catch (error) {
        await this.stop();
        // A process that is busy with its own start takes an answer for none.
        if (tries < START_TRIES && !isRefusal(error)) continue;
        throw new Error(`redisUrl: Redis refuses its service: ${String(error)}`, { cause: error });
      }
    }
  }

  async #join(events: OwnerEvents): Promise<void> {
    const { leaseTtl, log, releaseOrphan, seal } = this.#options;
    await this.#connection.subscribe(this.#keys.channel(this.#owner), (message) => {
      this.#receive(message);
    });
    const context = { connection: this.#connection, keys: this.#keys, owner: this.#owner, log };
    const missed = (error: unknown): void => this.#lease!.missed(error);
    this.#kept = new KeptOutcomes({ ...context, seal, missed });
    this.#lease = new Lease({
      ...context,
      leaseTtl,
      records: this.#records,
      isRegistering: (id) => this.#registering.has(id),
      adopt: (record) => this.#adopt(record),
      lost: (id) => this.#lost(id),
      returned: (replayed) => events.returned(replayed),
      cancelled: (id, by) => events.cancelled(id, by),
      describe: () => ({ host: hostname(), pid: process.pid, ...events.describe() }),
      reaper: new Reaper({ ...context, releaseOrphan, seal }),
    });
    await this.#lease.start();
  }

  async register(record: RequestRecord, exclusive: boolean): Promise<Registration> {
    const id = keyString(record.key);
    this.#registering.set(id, record);
    try {
      const registration = await this.#lease!.tracked(() => this.#register(id, record, exclusive));
      const { answer } = registration;
      const latest = this.#registering.get(id) ?? record;
      if (answer === 'run' || answer === 'kept') this.#records.set(id, latest);
      // Another process runs it: a task that is left here from an earlier attempt must not.
      if (answer === 'attached') this.#lost(id);
      if (answer === 'stale') this.#forget(id, record.attempt);
      return registration;
    } catch (error) {
      // Left under this living process, it would be attached to where nobody runs it.
      if (error instanceof KeptOutcomeError) await this.#lease!.giveUp(id, record.attempt);
      throw error;
    } finally {
      this.#registering.delete(id);
    }
  }

  async #register(id: string, record: RequestRecord, exclusive: boolean): Promise<Registration> {
    const { usable } = this.#connection;
    let answered: Registered;
    try {
      const args = this.#recordArgs(id, record);
      answered = (await this.#connection.run('register', this.#recordKeys(id), args)) as Registered;
    } catch (error) {
      this.#lease!.missed(error);
      // What was not sent, or was refused, had no effect; what was not answered may have had one.
      // Then the request's owner may have this very attempt from Redis, and with one token both
      // could mark it as sent. The next attempt has another token.
      if (usable && exclusive && !isRefusal(error)) {
        throw new Error('Redis fell silent; the next attempt tells whose the request is', {
          cause: error,
        });
      }
      return { answer: 'run', cancelRequested: false };
    }
    return this.#registered(record, answered);
  }

  async #registered(
    { key, skipsUnreadable = false }: RequestRecord,
    [answer, payload, ...sizes]: Registered,
  ): Promise<Registration> {
    switch (answer) {
      case 'run':
        return {
          answer,
          cancelRequested: payload ? (payload as CancelledBy) : false,
          ...(sizes.length > 0 && {
            settled: await this.#kept.ownItems(key, sizes, skipsUnreadable),
          }),
        };
      case 'kept':
        return { answer, outcome: (await this.#options.seal.open(key, payload!)) as Outcome };
      default:
        return { answer: answer as 'attached' | 'stale' };
    }
  }

  settle(key: RequestKey, settled: Settled): Promise<boolean> {
    return this.#kept.settle(key, settled);
  }

  settledItems(key: RequestKey, count: number): Promise<ItemOutcomes | undefined> {
    return this.#kept.allItems(key, count);
  }

  release(key: RequestKey, attempt = WHATEVER): Promise<boolean> {
    return this.#release(key, attempt, 0);
  }

  leave(key: RequestKey, attempt: Attempt): Promise<boolean> {
    return this.#release(key, attempt, ORPHAN_LIFE);
  }

  /** `life`: ms for which what was settled stays. */
  async #release(key: RequestKey, attempt: Attempt, life: number): Promise<boolean> {
    const id = keyString(key);
    try {
      const released = await this.#lease!.tracked(() =>
        this.#connection.run(
          'release',
          [this.#keys.request(id), this.#keys.records(this.#owner)],
          [this.#owner, id, attempt.number, attempt.scheduledAt, CANCEL_FLAG_TTL, life],
        ),
      );
      if (released !== 1) return false;
    } catch (error) {
      // The record goes with the next comparison of what is here and what is there.
      this.#lease!.missed(error);
    }
    this.#forget(id, attempt);
    return true;
  }

  async cancel(key: RequestKey): Promise<void> {
    const id = keyString(key);
    if (this.#records.has(id)) this.#events.cancelled(id, 'workflow');
    try {
      await cancelInRedis(this.#connection, this.#keys, key, 'workflow');
    } catch (error) {
      this.#lease!.missed(error);
    }
  }

  async whereabouts(key: RequestKey): Promise<Whereabouts> {
    try {
      const [owner, state, number, scheduled, token, progress] = await this.#connection.redis.hmget(
        this.#keys.request(keyString(key)),
        ...['owner', 'state', 'number', 'scheduled', 'token', 'progress'],
      );
      // An orphan is in somebody's hands, who does not run it.
      const isElsewhere = owner && owner !== this.#owner;
      if (isElsewhere && state !== 'orphaned') return { owner: 'other' };
      const attempt =
        token && number ? toAttempt(Number(number), Number(scheduled), token, progress) : undefined;
      return { owner: owner && !isElsewhere ? 'self' : 'nobody', attempt };
    } catch (error) {
      this.#lease!.missed(error);
      return { owner: 'unknown' };
    }
  }

  async stop(): Promise<void> {
    await this.#lease?.stop();
    this.#connection?.close();
    this.#records.clear();
  }

  #receive(message: string): void {
    const told = JSON.parse(message) as Message;
    const id = told[1];
    if (told[0] === 'cancelled') this.#events.cancelled(id, told[2]);
    if (told[0] === 'lost') this.#lost(id);
    if (told[0] !== 'attached') return;
    const [, , ...attempt] = told;
    const held = [this.#records, this.#registering].find((records) => records.has(id));
    // Redis believes that it runs here: the attempt goes back, or nobody would see to it.
    if (!held) return this.#lease?.recall([id]);
    const newer = toAttempt(...attempt);
    held.set(id, { ...held.get(id)!, attempt: newer });
    this.#events.attached(id, newer);
  }

  async #adopt(record: RequestRecord): Promise<boolean> {
    const id = keyString(record.key);
    const args = this.#recordArgs(id, record);
    return (await this.#connection.run('adopt', this.#recordKeys(id), args)) === 1;
  }

  #recordKeys(id: string): string[] {
    return [this.#keys.request(id), this.#keys.leases, this.#keys.records(this.#owner)];
  }

  #recordArgs(
    id: string,
    { attempt, method, host, path, items = 0 }: RequestRecord,
  ): (string | number)[] {
    const token = Buffer.from(attempt.token).toString('base64');
    return [
      ...[this.#owner, id, attempt.number, attempt.scheduledAt, token, method, host, path],
      ...[this.#keys.prefix, this.#options.leaseTtl, RECORD_LIFE, items],
      JSON.stringify(attempt.progress ?? {}),
    ];
  }

  #lost(id: string): void {
    if (this.#records.delete(id)) this.#events.lost(id);
  }

  /** Unless a newer attempt has come in between. */
  #forget(id: string, attempt: Attempt): void {
    const held = this.#records.get(id)?.attempt;
    if (held && held.scheduledAt <= attempt.scheduledAt) this.#records.delete(id);
  }
}
