import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { serve } from '../peer.ts';
import type { Calls } from '../workflows/index.ts';
import { fetchUrl } from './fetch-activity.ts';
import type { BatchSpec } from '../../src/index.ts';
import type { patientBatch } from '../../workflows/index.ts';
import { runJobs } from './jobs.ts';
import { connect, WORKFLOWS, type TemporalPeerOptions } from './temporal.ts';

/** A workflow's pending activities stay far below Temporal's limit of 2,000. */
const PER_WORKFLOW = 500;

export interface FanOut extends Calls {
  workflowType: string;
}

export interface Batches {
  taskQueue: string;
  batches: BatchSpec[];
  /** @default 1 */
  parallel?: number;
}

let client: Client | undefined;
let queue = '';

/** The workflows that make the calls: the same process for every system, and measured apart. */
export const driver = {
  async start({ address, taskQueue }: TemporalPeerOptions): Promise<void> {
    const connection = await connect(address);
    client = new Client({ connection });
    queue = taskQueue;
    const worker = await Worker.create({
      connection,
      taskQueue,
      workflowsPath: WORKFLOWS,
      // For the calls on the workflows' own queue.
      activities: { fetchUrl },
    });
    void worker.run();
  },
  /** ms from the start to each response with status 200, by the workflows' clock. */
  async fanOut({ workflowType, count, ...calls }: FanOut): Promise<number[]> {
    const started = Date.now();
    const runs: Promise<number[]>[] = [];
    for (let left = count; left > 0; left -= PER_WORKFLOW) {
      runs.push(execute(workflowType, [{ ...calls, count: Math.min(left, PER_WORKFLOW) }]));
    }
    return (await Promise.all(runs)).flat().map((at) => at - started);
  },
  /** Batches, so many at a time; ms from the start to each response, when its batch's result came. */
  async batches({ taskQueue, batches, parallel = 1 }: Batches): Promise<number[]> {
    const started = performance.now();
    const answered: number[] = [];
    const waiting = [...batches];
    const lane = async (): Promise<void> => {
      for (let batch = waiting.shift(); batch; batch = waiting.shift()) {
        const { succeeded } = await client!.workflow.execute<typeof patientBatch>('patientBatch', {
          ...{ taskQueue, workflowId: randomUUID() },
          args: [batch],
        });
        const at = performance.now() - started;
        answered.push(...Array<number>(succeeded).fill(at));
      }
    };
    await Promise.all(Array.from({ length: parallel }, lane));
    return answered;
  },
  /** Starts batches and leaves them; gives the ids of their workflows. */
  async startBatches({ taskQueue, batches }: Batches): Promise<string[]> {
    const ids = batches.map(() => randomUUID());
    await Promise.all(
      batches.map((batch, i) =>
        client!.workflow.start('patientBatch', { taskQueue, workflowId: ids[i]!, args: [batch] }),
      ),
    );
    return ids;
  },
  jobs: runJobs,
  run({ workflowType, args }: { workflowType: string; args: unknown[] }): Promise<unknown> {
    return execute(workflowType, args);
  },
  /** Starts a workflow for each id, with `{ url: <url>/<id>, taskQueue }`. */
  async startEach(options: Omit<FanOut, 'count' | 'spec'> & { ids: string[] }): Promise<void> {
    const { workflowType, ids, url, taskQueue } = options;
    await Promise.all(
      ids.map((workflowId) =>
        client!.workflow.start(workflowType, {
          taskQueue: queue,
          workflowId,
          args: [{ url: `${url}/${workflowId}`, taskQueue }],
        }),
      ),
    );
  },
  /** When the cancel was asked for, in ns of `process.hrtime`. */
  async cancel(workflowId: string): Promise<number> {
    const asked = Number(process.hrtime.bigint());
    await client!.workflow.getHandle(workflowId).cancel();
    return asked;
  },
  async terminate(ids: string[]): Promise<void> {
    await Promise.allSettled(ids.map((id) => client!.workflow.getHandle(id).terminate()));
  },
};

function execute<T>(workflowType: string, args: unknown[]): Promise<T> {
  return client!.workflow.execute(workflowType, {
    taskQueue: queue,
    workflowId: randomUUID(),
    args,
  });
}

serve(driver);
