import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { forceGc, usage, type Usage } from './measure.ts';

/** What a peer answers, by name. Arguments and results cross a process boundary as JSON. */
export type Methods = Record<string, (argument: never) => unknown>;

interface BuiltIn {
  /** `gc`: collect first, so that the heap is what is alive. */
  usage(options: { gc: boolean }): Usage;
}

type Argument<M> = M extends (argument: infer A) => unknown ? A : never;
type Result<M> = M extends (...args: never[]) => infer R ? Awaited<R> : never;

/** A process of its own, so that CPU and memory are one system's alone. */
export interface Peer<M extends Methods> extends AsyncDisposable {
  call<N extends keyof (M & BuiltIn) & string>(
    name: N,
    ...argument: unknown extends Argument<(M & BuiltIn)[N]> ? [] : [Argument<(M & BuiltIn)[N]>]
  ): Promise<Result<(M & BuiltIn)[N]>>;
  /** As a crash does. */
  kill(): void;
}

interface Answer {
  id: number;
  result?: unknown;
  error?: string;
}

/** Set by `--profile`: where each peer leaves CPU profiles and heap snapshots. */
export const PROFILE_DIR = 'PATIENT_BENCH_PROFILE_DIR';

/** Starts `peers/<name>` and waits until it serves. */
export async function startPeer<M extends Methods>(name: string): Promise<Peer<M>> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const file = fileURLToPath(new URL(`./peers/${name}.${extension}`, import.meta.url));
  const profiles = process.env[PROFILE_DIR];
  const child = fork(file, {
    execArgv: profiles ? ['--cpu-prof', `--cpu-prof-dir=${profiles}/${name}`] : [],
    // Standard output is for the report.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  const waiting = new Map<number, (answer: Answer) => void>();
  let calls = 0;
  child.on('message', (answer: Answer) => {
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  const gone = once(child, 'exit').then(() => {
    for (const [id, settle] of waiting) settle({ id, error: 'the process has ended' });
    waiting.clear();
  });
  await Promise.race([
    once(child, 'message'),
    gone.then(() => Promise.reject(new Error(`${name} ended before it served`))),
  ]);

  return {
    async call(method: string, argument?: unknown) {
      const id = ++calls;
      const { result, error } = await new Promise<Answer>((resolve) => {
        waiting.set(id, resolve);
        if (child.connected) child.send({ id, method, argument });
        else resolve({ id, error: 'the process has ended' });
      });
      if (error !== undefined) throw new Error(`${name}.${method}: ${error}`);
      return result;
    },
    kill: () => void child.kill('SIGKILL'),
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      const killer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await gone;
      clearTimeout(killer);
    },
  } as Peer<M>;
}

/** The other end of {@link startPeer}: serves until the bench is done with it. */
export function serve(methods: Methods): void {
  const all = { ...methods, usage } as Record<string, (argument: unknown) => unknown>;
  process.on('message', ({ id, method, argument }: { id: number } & Record<string, unknown>) => {
    void answer(id, () => all[String(method)]!(argument));
  });
  // Without exit handlers: what the peer holds open is nobody's any more.
  process.once('disconnect', () => process.exit(0));
  forceGc();
  process.send!('ready');
}

async function answer(id: number, call: () => unknown): Promise<void> {
  try {
    process.send!({ id, result: await call() });
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (process.connected) process.send!({ id, error: text });
  }
}
