import type { PatientClient } from '../client.ts';

/** What the dashboard asks of Temporal itself. */
export interface TemporalSide extends Pick<PatientClient, 'batches' | 'redrive'> {
  /** Rejects when it does not answer. */
  ping(): Promise<unknown>;
}
