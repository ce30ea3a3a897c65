import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Attempt } from '../shared/attempt.ts';
import type { Log } from '../shared/log.ts';
import { keyString, type RequestKey } from '../shared/request-key.ts';
import type { Outcome, Settled } from '../shared/wire.ts';
import { Lease } from './lease.ts';
import type {
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
import { keysOf, RECORD_LIFE, type RedisKeys } from './redis-keys.ts';

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

/** A cancel can overtake its request by the time a full queue holds it back, rarely longer. */
const CANCEL_FLAG_TTL = 10 * 60_000;
/** Newer than any attempt. */
const WHATEVER: Attempt = {
  number: Number.MAX_SAFE_INTEGER,
  scheduledAt: Number.MAX_SAFE_INTEGER,
  token: new Uint8Array(),
};

type Message = [kind: string, id: string, number, number, token: string, progress: string];

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
  #events!: OwnerEvents;

  constructor(options: RedisLivenessOptions) {
    this.#options = options;
    this.#keys = keysOf(options.namespace, options.taskQueue);
  }

  /** For what else this process keeps in Redis under its lease; once started. */
  get access(): { connection: RedisConnection; keys: RedisKeys; owner: string } {
    return { connection: this.#connection, keys: this.#keys, owner: this.#owner };
  }

  async start(events: OwnerEvents): Promise<void> {
    const { url, leaseTtl, log } = this.#options;
    this.#events = events;
    this.#connection = await RedisConnection.open({ url, timeout: leaseTtl / 3, log });
    try {
      await this.#join(events);
    } catch (error) {
      await this.stop();
      throw new Error(`redisUrl: Redis refuses its service: ${String(error)}`, { cause: error });
    }
  }

  async #join(events: OwnerEvents): Promise<void> {
    const { leaseTtl, log, releaseOrphan, seal } = this.#options;
    await this.#connection.subscribe(this.#keys.channel(this.#owner), (message) => {
      this.#receive(message);
    });
    const context = { connection: this.#connection, keys: this.#keys, owner: this.#owner, log };
    this.#lease = new Lease({
      ...context,
      leaseTtl,
      records: this.#records,
      isRegistering: (id) => this.#registering.has(id),
      adopt: (record) => this.#adopt(record),
      lost: (id) => this.#lost(id),
      describe: () => ({ host: hostname(), pid: process.pid, ...events.describe() }),
      reaper: new Reaper({ ...context, releaseOrphan, seal }),
    });
    await this.#lease.start();
  }

  async register(record: RequestRecord, exclusive: boolean): Promise<Registration> {
    const id = keyString(record.key);
    this.#registering.set(id, record);
    try {
      const registration = await this.#register(id, record, exclusive);
      const { answer } = registration;
      const latest = this.#registering.get(id) ?? record;
      if (answer === 'run' || answer === 'kept') this.#records.set(id, latest);
      // Another process runs it: a task that is left here from an earlier attempt must not.
      if (answer === 'attached') this.#lost(id);
      if (answer === 'stale') this.#forget(id, record.attempt);
      return registration;
    } finally {
      this.#registering.delete(id);
    }
  }

  async #register(id: string, record: RequestRecord, exclusive: boolean): Promise<Registration> {
    const { usable } = this.#connection;
    let answered: [string, ...(string | null)[]];
    try {
      answered = (await this.#lease!.tracked(() =>
        this.#connection.run('register', this.#recordKeys(id), this.#recordArgs(id, record)),
      )) as typeof answered;
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
    return this.#registered(record.key, answered);
  }

  async #registered(
    key: RequestKey,
    [answer, payload, ...items]: [string, ...(string | null)[]],
  ): Promise<Registration> {
    switch (answer) {
      case 'run':
        return {
          answer,
          cancelRequested: payload === '1',
          ...(items.length > 0 && { settled: await this.#openItems(key, items) }),
        };
      case 'kept':
        return { answer, outcome: (await this.#options.seal.open(key, payload!)) as Outcome };
      default:
        return { answer: answer as 'attached' | 'stale' };
    }
  }

  #openItems(key: RequestKey, items: (string | null)[]): Promise<(Settled | undefined)[]> {
    const { seal } = this.#options;
    return Promise.all(
      items.map(async (sealed, index) => {
        return sealed === null ? undefined : await seal.open({ ...key, index }, sealed);
      }),
    );
  }

  async settle({ index, ...key }: RequestKey, settled: Settled): Promise<boolean> {
    try {
      const keys = [this.#keys.request(keyString(key))];
      const field = index === undefined ? 'outcome' : `outcome:${index}`;
      const sealed = await this.#options.seal.seal(key, settled);
      return (await this.#connection.run('settle', keys, [this.#owner, field, sealed])) === 1;
    } catch (error) {
      this.#lease!.missed(error);
      return false;
    }
  }

  async release(key: RequestKey, attempt = WHATEVER): Promise<boolean> {
    const id = keyString(key);
    try {
      const released = await this.#lease!.tracked(() =>
        this.#connection.run(
          'release',
          [this.#keys.request(id), this.#keys.records(this.#owner)],
          [this.#owner, id, attempt.number, attempt.scheduledAt],
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
    if (this.#records.has(id)) this.#events.cancelled(id);
    try {
      const { prefix } = this.#keys;
      const keys = [this.#keys.request(id)];
      await this.#connection.run('cancel', keys, [id, CANCEL_FLAG_TTL, prefix]);
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
    const [kind, id, ...attempt] = JSON.parse(message) as Message;
    if (kind === 'cancelled') this.#events.cancelled(id);
    if (kind === 'lost') this.#lost(id);
    if (kind !== 'attached') return;
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
