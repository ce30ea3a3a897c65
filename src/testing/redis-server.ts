import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { endWithUs } from './end-with-us.ts';
import { freePorts } from './free-ports.ts';

const READY_TIMEOUT = 10_000;

/** No `redis-server` on the PATH; the message says what installs it. */
export class RedisMissingError extends Error {
  override readonly name = 'RedisMissingError';

  constructor() {
    super(
      'redis-server is not on the PATH; install it with apt-get install -y redis-server ' +
        '(macOS: brew install redis)',
    );
  }
}

export interface RedisServerOptions {
  /** Whether it keeps its data over a restart. @default false */
  persistent?: boolean;
  password?: string;
}

export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  kill(): Promise<void>;
  /** Starts it again on its port, with its append-only file when there is one. */
  restart(): Promise<void>;
}

/**
 * A `redis-server` of our own on a free port of 127.0.0.1, which ends with this process.
 * @throws RedisMissingError
 */
export async function startRedisServer({
  persistent = false,
  password,
}: RedisServerOptions = {}): Promise<RedisServer> {
  if (spawnSync('redis-server', ['--version']).error) throw new RedisMissingError();
  const [port = 0] = await freePorts([undefined]);
  const dir = await mkdtemp(join(tmpdir(), 'patient-redis-'));
  let server: ChildProcess;
  let ended: Promise<unknown>;

  const start = async (): Promise<void> => {
    server = spawn(
      'redis-server',
      [
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', ''],
        ...['--appendonly', persistent ? 'yes' : 'no', '--appendfsync', 'always'],
        ...(password ? ['--requirepass', password] : []),
      ],
      // A process group of its own: Ctrl-C is for us, who stop it after what uses it.
      { stdio: 'ignore', detached: true },
    );
    const gone = once(server, 'exit');
    ended = Promise.all([gone, endWithUs(server, gone)]);
    await answers(port, server);
  };
  const kill = async (): Promise<void> => {
    server.kill('SIGKILL');
    await ended;
  };
  await start();
  return {
    url: `redis://${password ? `:${password}@` : ''}127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid!;
    },
    kill,
    async restart() {
      await kill();
      await start();
    },
    async [Symbol.asyncDispose]() {
      await kill();
      await rm(dir, { recursive: true });
    },
  };
}

async function answers(port: number, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT;
  while (!(await pong(port))) {
    if (server.exitCode !== null || Date.now() > deadline) {
      throw new Error(`redis-server on port ${port} does not answer`);
    }
    await delay(20);
  }
}

/** Without a client: whoever has a password is asked for one, which is an answer too. */
async function pong(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    socket.write('PING\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return /^(\+PONG|-NOAUTH)/.test(answer.toString());
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
