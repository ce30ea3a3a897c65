import { Redis } from 'ioredis';
import {
  startRedisServer,
  type RedisServer as Server,
  type RedisServerOptions,
} from '../../src/testing/redis-server.ts';
import { waitFor } from './wait-for.ts';

export interface RedisServer extends Server {
  /** A client for looking inside; closed with the server. */
  readonly redis: Redis;
}

/** A real redis-server on a free port of 127.0.0.1; `persistent` keeps its data over a restart. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await startRedisServer(options);
  const { url, port } = server;
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  await redis.connect();
  return {
    ...{ url, port, redis },
    get pid() {
      return server.pid;
    },
    kill: () => server.kill(),
    async restart() {
      await server.restart();
      await waitFor(() => redis.status === 'ready');
    },
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await server[Symbol.asyncDispose]();
    },
  };
}
