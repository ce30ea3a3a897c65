import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { waitFor } from '../support/wait-for.ts';

/** Also for whoever runs this from dist. */
const root = dirname(createRequire(import.meta.url).resolve('patient-http/package.json'));

export interface Result {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunningProcess extends AsyncDisposable {
  /** Open when it was asked for. */
  readonly stdin: Writable | null;
  readonly pid: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves once standard output or standard error has this. */
  prints(text: string | RegExp): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when it has ended. */
  end(): Promise<Result>;
}

/** A script of dist, or the Temporal CLI, as a process; killed when the test leaves it behind. */
export function start(
  command: string[],
  env: Record<string, string> = {},
  { stdin = 'ignore' }: { stdin?: 'ignore' | 'pipe' } = {},
): RunningProcess {
  const [file = '', ...args] = command;
  const isScript = file.startsWith('dist/');
  const child = spawn(isScript ? process.execPath : file, isScript ? command : args, {
    cwd: root,
    env: { ...cleanEnvironment(), ...env },
    stdio: [stdin, 'pipe', 'pipe'],
  });
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const printed = (): string => stdout + stderr;
  return {
    stdin: child.stdin,
    pid: child.pid,
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    async prints(text) {
      const has = (): boolean => new RegExp(text).test(printed());
      await waitFor(() => has() || child.exitCode !== null, {
        timeout: 60_000,
        message: () => `${command.join(' ')} prints ${text}; it printed:\n${printed()}`,
      });
      if (!has()) throw new Error(`It ended with ${child.exitCode}:\n${printed()}`);
    },
    kill: (signal) => void child.kill(signal),
    async end() {
      const [code, signal] = await closed;
      return { code, signal, stdout, stderr };
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

/** `input` is what it reads from standard input; without, that is empty. */
export async function run(
  command: string[],
  env?: Record<string, string>,
  input?: string,
): Promise<Result> {
  await using child = start(command, env, { stdin: input === undefined ? 'ignore' : 'pipe' });
  child.stdin?.end(input);
  return await child.end();
}

/** Settings of whoever runs the tests are not for what they start. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => name === 'TEMPORAL_CLI_PATH' || !/^(PATIENT_(?!CACHE_DIR)|TEMPORAL_)/.test(name),
    ),
  );
}
