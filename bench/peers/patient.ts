import type { TaskView } from '../../src/index.ts';
import { PatientWorker, type PatientWorkerOptions } from '../../src/worker.ts';
import { peakRss, resetPeakRss } from '../measure.ts';
import { serve } from '../peer.ts';
import { connect, type TemporalPeerOptions } from './temporal.ts';

export type PatientPeerOptions = TemporalPeerOptions & Omit<PatientWorkerOptions, 'connection'>;

/** ms that each single request has waited in this process for its place. */
const waits: number[] = [];

let worker: PatientWorker | undefined;

const observer = {
  requestStart({ key, acceptedAt }: TaskView): void {
    if (key.index === undefined) waits.push(Date.now() - acceptedAt);
  },
};

/** Patient HTTP as it is shipped: both its workers, in one process. */
export const patient = {
  /** Bytes, since {@link resetPeakRss}, or since the process began where that is not to be had. */
  peakRss,
  resetPeakRss,
  async start({ address, ...options }: PatientPeerOptions): Promise<void> {
    worker = await PatientWorker.create({
      connection: await connect(address),
      allowPrivateAddresses: true,
      ...options,
    });
    void worker.run();
  },
  /** Keeps the waits of single requests from now on. */
  watch(): void {
    worker?.processor.observe(observer);
  },
  waits: () => waits.splice(0),
  /** Requests that have not been sent. */
  waiting: () => (worker ? worker.processor.total - worker.processor.inFlight : 0),
};

serve(patient);
