import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../../src/testing/end-with-us.ts';

/** `patient worker` as a process of its own. */
export interface WorkerProcess extends AsyncDisposable {
  readonly pid: number;
  /** Requests of dead processes that it took over, by what it logs. */
  readonly orphans: number;
  kill(): void;
}

const CLI = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const TAKEN_OVER = 'Took over the requests of a process that is gone';
const TAIL_LINES = 20;

/** Starts a worker with these settings, and waits until it takes requests. */
export async function startWorker(settings: Record<string, string>): Promise<WorkerProcess> {
  const child = spawn(process.execPath, [CLI, 'worker'], {
    env: { ...environment(), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let orphans = 0;
  const tail: string[] = [];
  const gone = once(child, 'exit');
  const released = endWithUs(child, gone);
  createInterface(child.stderr).on('line', (line) => {
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    if (line.includes(TAKEN_OVER)) orphans += (JSON.parse(line) as { total: number }).total;
  });
  await Promise.race([ready(child), gone]);
  if (child.exitCode !== null) {
    throw new Error(`A worker did not start. It printed last:\n${tail.join('\n')}`);
  }
  return {
    pid: child.pid ?? 0,
    get orphans() {
      return orphans;
    },
    kill: () => void child.kill('SIGKILL'),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await Promise.all([gone, released]);
    },
  };
}

/** The first line on standard output says that it polls. */
async function ready(child: ChildProcess): Promise<void> {
  await once(child.stdout!, 'data');
}

/** Settings of whoever runs the demo are for workers of theirs. */
function environment(): NodeJS.ProcessEnv {
  const { env } = process;
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(PATIENT|TEMPORAL)_/.test(name)),
  );
}
