import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { inject } from 'vitest';
import { PatientClient } from '../../src/client.ts';
import {
  startTargetServer,
  type TargetServer,
  type TargetServerOptions,
} from '../../src/testing/target-server.ts';
import { start, type RunningProcess } from '../cli/process.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';

export interface FleetOptions {
  /** For each worker. */
  env?: Record<string, string>;
  /** Default: the server that all tests share. */
  temporalAddress?: string;
  target?: TargetServerOptions;
}

export interface Fleet extends AsyncDisposable {
  temporalAddress: string;
  client: Client;
  patient: PatientClient;
  target: TargetServer;
  redis: RedisServer;
  taskQueue: string;
  /** Starts one more worker process and waits until it polls. */
  worker(env?: Record<string, string>): Promise<RunningProcess>;
}

export const LEASE_TTL = 2_000;

/** Worker processes on one Redis and one queue, to be killed at will. */
export async function startFleet({
  env: settings = {},
  temporalAddress = inject('temporalAddress'),
  target: targetOptions,
}: FleetOptions = {}): Promise<Fleet> {
  const taskQueue = `fleet-${randomUUID()}`;
  const redis = await startRedis({ persistent: true });
  const target = await startTargetServer(targetOptions);
  const connection = await Connection.connect({ address: temporalAddress });
  const client = new Client({ connection });
  const workers: RunningProcess[] = [];
  return {
    ...{ temporalAddress, client, target, redis, taskQueue },
    patient: new PatientClient({ client, taskQueue }),
    async worker(env = {}) {
      const worker = start(['dist/src/cli/main.js', 'worker'], {
        TEMPORAL_ADDRESS: temporalAddress,
        PATIENT_TASK_QUEUE: taskQueue,
        PATIENT_REDIS_URL: redis.url,
        PATIENT_LEASE_TTL: String(LEASE_TTL),
        PATIENT_ALLOW_PRIVATE_ADDRESSES: 'true',
        PATIENT_SHUTDOWN_TIMEOUT: '0',
        PATIENT_DRAIN_TIMEOUT: '1s',
        ...settings,
        ...env,
      });
      workers.push(worker);
      await worker.prints(/ready/);
      return worker;
    },
    async [Symbol.asyncDispose]() {
      for (const worker of workers) await worker[Symbol.asyncDispose]();
      await target.close();
      await redis[Symbol.asyncDispose]();
      await connection.close();
    },
  };
}
