import { PatientWorker } from '../../src/worker.ts';
import { serve } from '../peer.ts';
import { connect, rpcs, type TemporalPeerOptions } from './temporal.ts';

export interface PatientPeerOptions extends TemporalPeerOptions {
  maxConnections: number;
  userAgent: string;
  payloadStore?: string;
  maxResponseSize?: number;
}

/** Patient HTTP as it is shipped: both its workers, in one process. */
export const patient = {
  rpcs,
  /** Bytes, since the process began. */
  peakRss: () => process.resourceUsage().maxRSS * 1024,
  async start({ address, ...options }: PatientPeerOptions): Promise<void> {
    const worker = await PatientWorker.create({
      connection: await connect(address),
      allowPrivateAddresses: true,
      ...options,
    });
    void worker.run();
  },
};

serve(patient);
