import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { PatientPlugin, type PatientOptions } from '../../src/index.ts';
import { peakRss, resetPeakRss } from '../measure.ts';
import { serve } from '../peer.ts';
import { connect, type TemporalPeerOptions } from './temporal.ts';

/** A user's worker whose workflows read what they get; the requests run elsewhere. */
export const reader = {
  peakRss,
  resetPeakRss,
  async start({ address, taskQueue, ...options }: TemporalPeerOptions & PatientOptions) {
    const worker = await Worker.create({
      connection: await connect(address),
      taskQueue,
      workflowsPath: fileURLToPath(new URL('../workflows/', import.meta.url)),
      plugins: [new PatientPlugin({ processor: false, ...options })],
    });
    void worker.run();
  },
};

serve(reader);
