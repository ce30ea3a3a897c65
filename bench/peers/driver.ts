import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { serve } from '../peer.ts';
import { fetchUrl } from './fetch-activity.ts';
import { connect, rpcs, type TemporalPeerOptions } from './temporal.ts';

/** A workflow's pending activities stay far below Temporal's limit of 2,000. */
const PER_WORKFLOW = 500;

export interface FanOut {
  workflowType: string;
  count: number;
  url: string;
  taskQueue: string;
}

let client: Client | undefined;
let queue = '';

/** The workflows that make the calls: the same process for every system, and measured apart. */
export const driver = {
  rpcs,
  async start({ address, taskQueue }: TemporalPeerOptions): Promise<void> {
    const connection = await connect(address);
    client = new Client({ connection });
    queue = taskQueue;
    const worker = await Worker.create({
      connection,
      taskQueue,
      workflowsPath: fileURLToPath(new URL('../workflows/', import.meta.url)),
      // For the calls on the workflows' own queue.
      activities: { fetchUrl },
    });
    void worker.run();
  },
  /** Number of responses with status 200. */
  async fanOut({ workflowType, count, url, taskQueue }: FanOut): Promise<number> {
    const runs: Promise<number>[] = [];
    for (let left = count; left > 0; left -= PER_WORKFLOW) {
      runs.push(execute(workflowType, [{ url, taskQueue, count: Math.min(left, PER_WORKFLOW) }]));
    }
    return (await Promise.all(runs)).reduce((sum, each) => sum + each, 0);
  },
  run({ workflowType, args }: { workflowType: string; args: unknown[] }): Promise<unknown> {
    return execute(workflowType, args);
  },
  /** Starts a workflow for each id, with `{ url: <url>/<id>, taskQueue }`. */
  async startEach(options: Omit<FanOut, 'count'> & { ids: string[] }): Promise<void> {
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
