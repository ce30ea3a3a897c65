import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { PatientClient } from '../../src/client.ts';
import { startTargetServer, type TargetServer } from '../../src/testing/target-server.ts';
import { startTemporalServer, type TemporalServer } from '../../src/testing/temporal-server.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { Journal } from './journal.ts';
import { Fleet } from './workers.ts';

export const TASK_QUEUE = 'chaos';
export const CALLBACK_QUEUE = 'chaos-callbacks';
export const LEASE_TTL = 2_000;

/** Everything of a run: what is broken, what breaks nothing, and what looks on. */
export interface World extends AsyncDisposable {
  readonly client: Client;
  readonly patient: PatientClient;
  readonly target: TargetServer;
  readonly redis: RedisServer;
  readonly fleet: Fleet;
  readonly journal: Journal;
  killTemporal(): Promise<void>;
  /** With its file, on its port. */
  restartTemporal(): Promise<void>;
}

/** Once per process: outages are no news here, and Ctrl-C is not for the SDK. */
export function quietRuntime(): void {
  const telemetryOptions = { logging: { filter: { core: 'ERROR', other: 'ERROR' } } } as const;
  const logger = new DefaultLogger('ERROR', () => undefined);
  Runtime.install({ logger, telemetryOptions, shutdownSignals: [] });
}

export interface WorldOptions {
  /** Worker processes. */
  workers: number;
  /** Path of the Temporal CLI. */
  cli: string;
}

export async function startWorld({ workers, cli }: WorldOptions): Promise<World> {
  const journal = new Journal();
  const undo: (() => PromiseLike<unknown>)[] = [];
  const dispose = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  const keep = <T extends AsyncDisposable>(part: T): T => {
    undo.push(() => part[Symbol.asyncDispose]());
    return part;
  };
  try {
    const directory = await mkdtemp(join(tmpdir(), 'patient-chaos-'));
    undo.push(() => rm(directory, { recursive: true, force: true }));
    const file = { cli, dbFilename: join(directory, 'temporal.db') };
    let temporal: TemporalServer = await startTemporalServer(file);
    undo.push(() => temporal.stop());
    const { address, port } = temporal;
    const redis = keep(await startRedis({ persistent: true }));
    // It closes no connection by itself: to a stopped worker that would be one more fault.
    const target = keep(await startTargetServer({ keepAliveTimeout: 10 * 60_000 }));

    const connection = await Connection.connect({ address });
    undo.push(() => connection.close());
    const client = new Client({ connection });
    undo.push(await startCallbackWorker(address));
    const env = {
      TEMPORAL_ADDRESS: address,
      PATIENT_TASK_QUEUE: TASK_QUEUE,
      PATIENT_REDIS_URL: redis.url,
      PATIENT_LEASE_TTL: String(LEASE_TTL),
      PATIENT_ALLOW_PRIVATE_ADDRESSES: 'true',
      PATIENT_SHUTDOWN_TIMEOUT: '500ms',
      PATIENT_DRAIN_TIMEOUT: '3s',
    };
    const fleet = keep(new Fleet(env, journal));
    await Promise.all(Array.from({ length: workers }, () => fleet.add()));
    return {
      ...{ client, target, redis, fleet, journal },
      patient: new PatientClient({ client, taskQueue: TASK_QUEUE }),
      killTemporal: () => temporal.kill(),
      async restartTemporal() {
        temporal = await startTemporalServer({ ...file, port });
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Runs what receives the outcomes; no fault but Temporal's touches it. Gives how to stop it. */
async function startCallbackWorker(address: string): Promise<() => Promise<void>> {
  const connection = await NativeConnection.connect({ address });
  const workflowsPath = fileURLToPath(new URL('./workflows/', import.meta.url));
  const worker = await Worker.create({ connection, taskQueue: CALLBACK_QUEUE, workflowsPath });
  const running = worker.run();
  // Told when it is stopped.
  running.catch(() => undefined);
  return async () => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await running;
    await connection.close();
  };
}
