import { Worker } from '@temporalio/worker';
import { serve } from '../peer.ts';
import { fetchUrl } from './fetch-activity.ts';
import { connect, WORKFLOWS, type TemporalPeerOptions } from './temporal.ts';

export interface ActivityOptions extends TemporalPeerOptions {
  slots: number;
  /** Runs the workflows that call it, too. @default false */
  workflows?: boolean;
}

/** A plain fetch activity. */
export const activity = {
  async start({ address, taskQueue, slots, workflows = false }: ActivityOptions): Promise<void> {
    const worker = await Worker.create({
      connection: await connect(address),
      taskQueue,
      activities: { fetchUrl },
      maxConcurrentActivityTaskExecutions: slots,
      ...(workflows && { workflowsPath: WORKFLOWS }),
    });
    void worker.run();
  },
};

serve(activity);
