import { Redis } from 'ioredis';
import type { Log } from '../shared/log.ts';
import { SCRIPTS } from './scripts.generated.ts';

/** Lua by name; see scripts/generate-lua.mjs. */
type Scripts = Readonly<Record<string, { numberOfKeys: number; lua: string }>>;

export interface RedisConnectionOptions {
  /** `redis://` or `rediss://`, with credentials if needed. */
  url: string;
  /** ms after which a command without an answer has failed, and its connection with it. */
  timeout: number;
  /** Default: none. */
  log?: Log;
}

/** How long the first connection may take. */
const START_TIMEOUT = 5_000;

const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/**
 * One connection for commands and one for messages. Commands fail at once while Redis is away:
 * nothing waits in a queue of ours, and who needs a command repeats it after the reconnection.
 */
export class RedisConnection {
  readonly #commands: Redis;
  readonly #messages: Redis;
  readonly #log: Log;
  readonly #channels = new Set<string>();
  #failure: Error | undefined;

  private constructor(options: RedisConnectionOptions) {
    const { url, timeout, log = SILENT } = options;
    this.#log = log;
    const shared = {
      lazyConnect: true,
      connectTimeout: START_TIMEOUT,
      retryStrategy: (times: number) => Math.min(100 * times, 2_000),
      // After a failover the former primary answers, but only to say that it is none.
      reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    };
    this.#commands = new Redis(url, {
      ...shared,
      commandTimeout: timeout,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      enableAutoPipelining: true,
      scripts: SCRIPTS,
    });
    // By itself the client would not catch what goes wrong with that, and the process would end.
    const resubscribes = { autoResubscribe: false };
    this.#messages = new Redis(url, { ...shared, ...resubscribes, commandTimeout: timeout });
    this.#messages.on('ready', () => void this.#resubscribe());
    for (const redis of [this.#commands, this.#messages]) {
      redis.on('error', (error: Error) => this.failed(error));
    }
  }

  /** @throws Error that names the address, never the password, when Redis cannot be used */
  static async open(options: RedisConnectionOptions): Promise<RedisConnection> {
    const connection = new RedisConnection(options);
    try {
      await connection.#commands.connect();
      await connection.#commands.ping();
      await connection.#messages.connect();
      return connection;
    } catch (error) {
      connection.close();
      // "Connection is closed" is what a command says; the connection's own error says why.
      const failure = connection.#failure ?? error;
      throw new Error(`redisUrl: no usable Redis at ${address(options.url)}: ${reason(failure)}`, {
        cause: error,
      });
    }
  }

  /** Opens one for a look from outside, and closes it. */
  static async visit<T>(url: string, use: (connection: RedisConnection) => Promise<T>): Promise<T> {
    const connection = await RedisConnection.open({ url, timeout: START_TIMEOUT });
    try {
      return await use(connection);
    } finally {
      connection.close();
    }
  }

  /** Whether a command would be sent now, instead of failing at once. */
  get usable(): boolean {
    return this.#commands.status === 'ready';
  }

  /** Called after each reconnection, and not for the first connection. */
  onReturn(callback: () => void): void {
    this.#commands.on('ready', callback);
  }

  /** Adds to the scripts that `run` knows. */
  define(scripts: Scripts): void {
    for (const [name, script] of Object.entries(scripts)) {
      this.#commands.defineCommand(name, script);
    }
  }

  async run(script: string, keys: string[], args: (string | number | Buffer)[]) {
    const command = (this.#commands as unknown as Record<string, Command>)[script]!;
    return command.call(this.#commands, ...keys, ...args);
  }

  get redis(): Redis {
    return this.#commands;
  }

  /** A message that `receive` throws at is left out: whoever wrote it, it must not end this process. */
  async subscribe(channel: string, receive: (message: string) => void): Promise<void> {
    this.#messages.on('message', (from: string, message: string) => {
      if (from !== channel) return;
      try {
        receive(message);
      } catch (error) {
        this.#log.warn('A message in Redis cannot be read', { channel, error });
      }
    });
    this.#channels.add(channel);
    await this.#messages.subscribe(channel);
  }

  async #resubscribe(): Promise<void> {
    if (this.#channels.size === 0) return;
    await this.#messages.subscribe(...this.#channels).catch(() => this.#messages.disconnect(true));
  }

  /** Drops a connection that no longer answers; a new one is made at once. */
  reconnect(): void {
    this.#commands.disconnect(true);
    this.#messages.disconnect(true);
  }

  /**
   * A connection for messages can be half open while the one for commands is well: nothing is
   * written to it otherwise. A new one is subscribed as the old one was.
   */
  async checkMessages(): Promise<void> {
    if (this.#messages.status !== 'ready') return;
    await this.#messages.ping().catch(() => this.#messages.disconnect(true));
  }

  close(): void {
    this.#commands.disconnect();
    this.#messages.disconnect();
  }

  /** Said once, until it serves again. */
  failed(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#log.warn('Redis is away: crashes are found by Temporal heartbeats until it is back', {
      reason: reason(error),
    });
  }

  /** A renewal went through. */
  served(): void {
    if (!this.#failure) return;
    this.#failure = undefined;
    this.#log.info('Redis is back');
  }
}

/** Redis answered, and the answer is no: nothing was changed. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}

type Command = (...args: (string | number | Buffer)[]) => Promise<unknown>;

function address(url: string): string {
  try {
    const { protocol, host } = new URL(url);
    return `${protocol}//${host}`;
  } catch {
    return '(not a URL)';
  }
}

function reason(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return message || code || String(error);
}
