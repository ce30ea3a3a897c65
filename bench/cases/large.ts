import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { PatientClient } from '../../src/client.ts';
import { PatientPlugin } from '../../src/plugin.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { Environment } from '../environment.ts';
import { startPeer } from '../peer.ts';
import type { patient } from '../peers/patient.ts';
import type { CaseResult, Row } from '../report.ts';
import { startStores } from './payload.ts';

const MB = 1_000_000;

/**
 * Large responses at once, through each store and both workers of one process: the request's worker
 * stores them, the workflow's reads, returns and stores them. Memory is that process's.
 */
export async function large(
  { temporalAddress: address }: Environment,
  { count, megabytes }: { count: number; megabytes: number },
): Promise<CaseResult> {
  await using stores = await startStores();
  const target = await startTargetServer();
  const connection = await NativeConnection.connect({ address });
  const url = target.url(`/bytes/${megabytes * MB}`);
  const rows: Row[] = [];
  try {
    for (const [store, payloadStore] of Object.entries(stores.urls)) {
      const taskQueue = `large-${store}`;
      await using peer = await startPeer<typeof patient>('patient');
      const options = { payloadStore, maxConnections: count, maxResponseSize: megabytes * MB };
      await peer.call('start', { address, taskQueue, userAgent: 'bench', ...options });
      const plugins = [new PatientPlugin({ payloadStore })];
      const client = new PatientClient({ client: new Client({ connection, plugins }), taskQueue });
      await client.get(target.url('/status/200'));
      const { rss: idle } = await peer.call('usage', { gc: true });
      const started = performance.now();
      const spec = { timeout: '10m' } as const;
      const handles = await Promise.all(
        Array.from({ length: count }, () => client.submit.get(url, spec)),
      );
      let whole = 0;
      // One after the other, for this process has them whole.
      for (const handle of handles) {
        const { body } = (await handle.result())!;
        if (body?.length === megabytes * MB) whole++;
      }
      const peak = await peer.call('peakRss');
      rows.push({
        store,
        whole,
        'idle RSS, MB': Math.round(idle / MB),
        'peak RSS, MB': Math.round(peak / MB),
        'peak above idle, bodies': (peak - idle) / (megabytes * MB),
        'elapsed s': (performance.now() - started) / 1000,
      });
    }
  } finally {
    await connection.close();
    await target.close();
  }
  const parameters = { responses: count, 'MB each': megabytes };
  return { title: 'Large responses', parameters, rows, remarks: [], rounds: rows };
}
