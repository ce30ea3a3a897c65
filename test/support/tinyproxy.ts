import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { endWithUs } from '../../src/testing/end-with-us.ts';
import { freePorts } from '../../src/testing/free-ports.ts';
import { waitFor } from './wait-for.ts';

export interface Tinyproxy extends AsyncDisposable {
  readonly port: number;
  /** What it has written of every request and connection. */
  log(): Promise<string>;
}

/** A real forward proxy on a free port of 127.0.0.1; `password` is asked of user `patient`. */
export async function startTinyproxy({ password }: { password?: string } = {}): Promise<Tinyproxy> {
  if (spawnSync('tinyproxy', ['-v']).error) {
    throw new Error('tinyproxy is not on the PATH; install it with apt-get install -y tinyproxy');
  }
  const [port = 0] = await freePorts([undefined]);
  const directory = await mkdtemp(path.join(tmpdir(), 'patient-proxy-'));
  const file = (name: string): string => path.join(directory, name);
  const config = [
    ...[`Port ${port}`, 'Listen 127.0.0.1', 'Timeout 60', 'MaxClients 200'],
    ...[`LogFile "${file('log')}"`, 'LogLevel Connect'],
    ...(password === undefined ? [] : [`BasicAuth patient ${password}`]),
  ];
  await writeFile(file('config'), `${config.join('\n')}\n`);
  await writeFile(file('log'), '', { mode: 0o666 });
  const server = spawn('tinyproxy', ['-d', '-c', file('config')], { stdio: 'ignore' });
  const ended = once(server, 'exit');
  const unlinked = endWithUs(server, ended);
  await waitFor(() => listens(port), { message: `tinyproxy on port ${port} does not listen` });
  return {
    port,
    log: () => readFile(file('log'), 'utf8'),
    async [Symbol.asyncDispose]() {
      server.kill('SIGKILL');
      await Promise.all([ended, unlinked]);
      await rm(directory, { recursive: true });
    },
  };
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
