import { Redis } from 'ioredis';
import type { Store } from './store.ts';

const PREFIX = 'patient:payload:';
const TIMEOUT = 30_000;
/** A process that needs the store no more, such as a client's, is not kept alive by a connection. */
const IDLE = 1_000;

/** Redis, its `maxmemory-policy` one that evicts nothing; keys expire by themselves. */
export class RedisStore implements Store {
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

  async put(id: string, bytes: Uint8Array): Promise<void> {
    const key = PREFIX + id;
    const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    await this.#use((redis) =>
      this.#retention === undefined
        ? redis.set(key, value)
        : redis.set(key, value, 'PX', this.#retention),
    );
  }

  async get(id: string): Promise<Uint8Array | undefined> {
    return (await this.#use((redis) => redis.getBuffer(PREFIX + id))) ?? undefined;
  }

  async check(): Promise<void> {
    await this.#use((redis) => redis.ping());
  }

  async #use<T>(command: (redis: Redis) => Promise<T>): Promise<T> {
    clearTimeout(this.#idle);
    this.#used++;
    try {
      return await command((this.#redis ??= connect(this.#url)));
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
