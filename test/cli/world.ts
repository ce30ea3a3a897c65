import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { startTargetServer, type TargetServer } from '../../src/testing/target-server.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { run, start, type Result, type RunningProcess } from './process.ts';
import { startTerminal, type Terminal } from './terminal.ts';

export const MAIN = 'dist/src/cli/main.js';

/** Temporal, Redis, a target and a worker process, and `patient` as their operator has it. */
export interface World extends AsyncDisposable {
  env: Record<string, string>;
  taskQueue: string;
  target: TargetServer;
  redis: RedisServer;
  worker(): Promise<RunningProcess>;
  patient(...args: string[]): Promise<Result>;
  /** What a command that goes well prints as JSON. */
  json<T>(...args: string[]): Promise<T>;
  started(...args: string[]): RunningProcess;
  terminal(...args: string[]): Terminal;
}

export async function startWorld(): Promise<World> {
  const taskQueue = `cli-${randomUUID()}`;
  const redis = await startRedis();
  const target = await startTargetServer();
  const env = {
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    PATIENT_TASK_QUEUE: taskQueue,
    PATIENT_REDIS_URL: redis.url,
    PATIENT_ALLOW_PRIVATE_ADDRESSES: 'true',
  };
  const workers: RunningProcess[] = [];
  const patient = (...args: string[]): Promise<Result> => run([MAIN, ...args], env);
  return {
    ...{ env, taskQueue, target, redis, patient },
    async worker() {
      const worker = start([MAIN, 'worker'], env);
      workers.push(worker);
      await worker.prints('worker ready');
      return worker;
    },
    async json<T>(...args: string[]) {
      const { code, stdout, stderr } = await patient(...args);
      if (code !== 0) throw new Error(`patient ${args.join(' ')} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout) as T;
    },
    started: (...args) => start([MAIN, ...args], env),
    terminal: (...args) => startTerminal([MAIN, ...args], env),
    async [Symbol.asyncDispose]() {
      for (const worker of workers) await worker[Symbol.asyncDispose]();
      await target.close();
      await redis[Symbol.asyncDispose]();
    },
  };
}
