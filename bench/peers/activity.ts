import { Worker } from '@temporalio/worker';
import { serve } from '../peer.ts';
import { fetchUrl } from './fetch-activity.ts';
import { connect, rpcs, type TemporalPeerOptions } from './temporal.ts';

export interface ActivityOptions extends TemporalPeerOptions {
  slots: number;
}

/** A plain fetch activity. */
export const activity = {
  rpcs,
  async start({ address, taskQueue, slots }: ActivityOptions): Promise<void> {
    const worker = await Worker.create({
      connection: await connect(address),
      taskQueue,
      activities: { fetchUrl },
      maxConcurrentActivityTaskExecutions: slots,
    });
    void worker.run();
  },
};

serve(activity);
