import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { PayloadStore, StoreAccess } from '../shared/payload-store.ts';
import { piecesOf } from './bytes.ts';

const PREFIX = 'patient:payload:';
const TIMEOUT = 30_000;
/** Bytes of one command: Redis serves others between two of them, and the client copies no more. */
const PIECE = 1024 * 1024;
/** ms; what a process was writing when it died goes by itself. */
const UNFINISHED = 60 * 60 * 1000;
/** ms for which what a check has written stays. */
const CHECKED = 1_000;
/** A process that needs the store no more, such as a client's, is not kept alive by a connection. */
const IDLE = 1_000;

/** Redis, its `maxmemory-policy` one that evicts nothing; keys expire by themselves. */
export class RedisStore implements PayloadStore {
  readonly name: string;
  readonly #url: string;
  readonly #retention: number | undefined;
  #redis: Redis | undefined;
  #used = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(url: string, retention: number | undefined) {
    const { protocol, host, pathname } = new URL(url);
    this.name = `${protocol}//${host}${pathname}`;
    this.#retention = retention;
    this.#url = url;
  }

  put(id: string, bytes: Uint8Array): Promise<void> {
    const key = PREFIX + id;
    return this.#use(async (redis) => {
      if (bytes.length <= PIECE) {
        const value = bufferOf(bytes);
        await (this.#retention === undefined
          ? redis.set(key, value)
          : redis.set(key, value, 'PX', this.#retention));
      } else {
        await this.#putPieces(redis, key, bytes);
      }
    });
  }

  /** A rename makes it visible whole. */
  async #putPieces(redis: Redis, key: string, bytes: Uint8Array): Promise<void> {
    // In the slot of the key, where there are several.
    const unfinished = `{${key}}:${randomUUID()}`;
    let size = 0;
    for (const piece of piecesOf(bytes, PIECE)) {
      const value = bufferOf(piece);
      if (size === 0) await redis.set(unfinished, value, 'PX', UNFINISHED);
      else await appendAt(redis, unfinished, size, value);
      size += piece.length;
    }
    const renaming = redis.multi().rename(unfinished, key);
    const results = await (
      this.#retention === undefined ? renaming.persist(key) : renaming.pexpire(key, this.#retention)
    ).exec();
    const [failure] = results?.find(([error]) => error) ?? [];
    if (failure) throw failure;
  }

  get(id: string): Promise<Uint8Array | undefined> {
    const key = PREFIX + id;
    return this.#use(async (redis) => {
      const first = await redis.getrangeBuffer(key, 0, PIECE - 1);
      if (first.length === 0) return (await redis.getBuffer(key)) ?? undefined;
      const size = first.length < PIECE ? first.length : await redis.strlen(key);
      const whole = Buffer.allocUnsafeSlow(size);
      for (let at = 0; at < size; at += PIECE) {
        const piece = at === 0 ? first : await redis.getrangeBuffer(key, at, at + PIECE - 1);
        // It expired meanwhile.
        if (piece.copy(whole, at) === 0) return undefined;
      }
      return whole;
    });
  }

  /** A replica, or a user without the right, can be asked and cannot be written to. */
  async check(access: StoreAccess): Promise<void> {
    const key = `${PREFIX}check`;
    await this.#use<unknown>((redis) =>
      access === 'write' ? redis.set(key, '', 'PX', CHECKED) : redis.get(key),
    );
  }

  async #use<T>(command: (redis: Redis) => Promise<T>): Promise<T> {
    clearTimeout(this.#idle);
    this.#used++;
    try {
      return await command((this.#redis ??= connect(this.#url)));
    } catch (error) {
      // Its own words are about an option of the library's.
      if ((error as Error).name !== 'MaxRetriesPerRequestError') throw error;
      throw new Error('no connection', { cause: error });
    } finally {
      this.#used--;
      if (this.#used === 0) this.#idle = setTimeout(() => this.#disconnect(), IDLE);
    }
  }

  #disconnect(): void {
    this.#redis?.disconnect();
    this.#redis = undefined;
  }
}

/** The client repeats what a broken connection has not answered: it may have been appended before. */
async function appendAt(redis: Redis, key: string, size: number, value: Buffer): Promise<void> {
  if ((await redis.append(key, value)) === size + value.length) return;
  await redis.unlink(key);
  throw new Error('the connection broke off while it was stored');
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function connect(url: string): Redis {
  const redis = new Redis(url, {
    connectTimeout: 5_000,
    commandTimeout: TIMEOUT,
    maxRetriesPerRequest: 1,
    retryStrategy: (times) => Math.min(100 * times, 2_000),
  });
  // Each command says for itself what went wrong.
  redis.on('error', () => undefined);
  return redis;
}
