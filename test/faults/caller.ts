import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { RequestSpec } from '../../src/index.ts';
import { quietLogger } from '../support/environment.ts';
import type { callEach } from './workflows/index.ts';

// Before anything of Temporal's is used. The SDK's core writes a line for each try of each call.
Runtime.install({
  logger: quietLogger,
  telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' } } },
  shutdownSignals: [],
});

/** Calls per workflow; its history stays short. */
const CHUNK = 250;

/** A user's worker in this process, whose workflows make inline calls: it outlives the faults. */
export interface Caller extends AsyncDisposable {
  readonly client: Client;
  /** Starts workflows that make the calls, all at once; the function gives their outcomes. */
  call(specs: RequestSpec[]): Promise<() => Promise<string[]>>;
}

export async function startCaller(fleet: {
  temporalAddress: string;
  taskQueue: string;
}): Promise<Caller> {
  const connection = await NativeConnection.connect({ address: fleet.temporalAddress });
  const client = new Client({ connection });
  const taskQueue = `${fleet.taskQueue}:caller`;
  const worker = await Worker.create({
    ...{ connection, taskQueue },
    workflowsPath: fileURLToPath(new URL('./workflows/', import.meta.url)),
  });
  const running = worker.run();
  return {
    client,
    async call(specs) {
      const chunks = Array.from({ length: Math.ceil(specs.length / CHUNK) }, (_, i) =>
        specs.slice(i * CHUNK, (i + 1) * CHUNK),
      );
      const handles = await Promise.all(
        chunks.map((chunk) =>
          client.workflow.start<typeof callEach>('callEach', {
            ...{ taskQueue, workflowId: randomUUID() },
            args: [chunk, fleet.taskQueue],
          }),
        ),
      );
      return async () => (await Promise.all(handles.map((handle) => handle.result()))).flat();
    },
    async [Symbol.asyncDispose]() {
      worker.shutdown();
      await running;
      await connection.close();
    },
  };
}

/** How many of each outcome. */
export function tally(outcomes: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}
