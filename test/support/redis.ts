import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { waitFor } from './wait-for.ts';

export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** A client for looking inside; closed with the server. */
  readonly redis: Redis;
  kill(): Promise<void>;
  /** Starts it again on its port, with its append-only file when there is one. */
  restart(): Promise<void>;
}

/** A real redis-server on a free port of 127.0.0.1; `persistent` keeps its data over a restart. */
export async function startRedis({
  persistent = false,
  password,
}: { persistent?: boolean; password?: string } = {}): Promise<RedisServer> {
  if (spawnSync('redis-server', ['--version']).error) {
    throw new Error('redis-server is missing: apt-get install -y redis-server');
  }
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'patient-redis-'));
  const url = `redis://${password ? `:${password}@` : ''}127.0.0.1:${port}`;
  let server: ChildProcess;

  const start = async (): Promise<void> => {
    server = spawn(
      'redis-server',
      [
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', ''],
        ...['--appendonly', persistent ? 'yes' : 'no', '--appendfsync', 'always'],
        ...(password ? ['--requirepass', password] : []),
      ],
      { stdio: 'ignore' },
    );
    await waitFor(
      async () => (await redis.connect().catch(() => undefined), redis.status === 'ready'),
      { message: `redis-server answers on port ${port}` },
    );
  };
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  await start();

  const kill = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.kill('SIGKILL');
    await once(server, 'exit');
  };
  return {
    url,
    port,
    redis,
    get pid() {
      return server.pid!;
    },
    kill,
    async restart() {
      await kill();
      await start();
    },
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await kill();
      await rm(dir, { recursive: true });
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
