import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { startTemporalServer, type TemporalServer } from '../../src/testing/temporal-server.ts';

/** A Temporal that can go away and come back with all it knew. */
export interface Outage extends AsyncDisposable {
  readonly address: string;
  /** Kills it. */
  begin(): Promise<void>;
  /** Starts it again on its port. */
  end(): Promise<void>;
}

export async function startOutage(): Promise<Outage> {
  const directory = await mkdtemp(join(tmpdir(), 'patient-http-outage-'));
  const options = { cli: inject('temporalCli'), dbFilename: join(directory, 'temporal.db') };
  let server: TemporalServer = await startTemporalServer(options);
  const { address, port } = server;
  return {
    address,
    begin: () => server.kill(),
    async end() {
      server = await startTemporalServer({ ...options, port });
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await rm(directory, { recursive: true });
    },
  };
}
