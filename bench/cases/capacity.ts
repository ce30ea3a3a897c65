import type { Environment } from '../environment.ts';
import { startPeer } from '../peer.ts';
import type { patient } from '../peers/patient.ts';
import type { CaseResult, Row } from '../report.ts';

const CALL_MS = 1_000;

/** Far more requests than places: they wait in Temporal, and whichever worker has room takes them. */
export async function capacity(
  env: Environment,
  { count, maxConnections }: { count: number; maxConnections: number },
): Promise<CaseResult> {
  const rows = [
    await measure(env, count, maxConnections, 1),
    await measure(env, count, maxConnections, 2),
  ];
  return {
    title: 'Capacity is a queue',
    parameters: { requests: count, maxConnections, 'ms per request': CALL_MS },
    rows,
    remarks: [],
    rounds: rows,
  };
}

async function measure(
  { target, driver, origin, temporalAddress: address }: Environment,
  count: number,
  maxConnections: number,
  workers: number,
): Promise<Row> {
  const taskQueue = `capacity-${workers}`;
  const names = Array.from({ length: workers }, (_, i) => `worker-${i + 1}`);
  const peers = await Promise.all(names.map(() => startPeer<typeof patient>('patient')));
  try {
    for (const [i, userAgent] of names.entries()) {
      await peers[i]!.call('start', { address, taskQueue, maxConnections, userAgent });
    }
    await target.call('reset');
    const started = performance.now();
    const url = `${origin}/delay/${CALL_MS}`;
    const fanOut = { workflowType: 'patientFanOut', count, url, taskQueue };
    const { length: completed } = await driver.call('fanOut', fanOut);
    const elapsed = performance.now() - started;
    const { peak, agents } = await target.call('stats');
    return {
      workers,
      completed,
      failed: count - completed,
      'peak at target': peak,
      'share of each': names.map((name) => agents[name] ?? 0).join(' + '),
      'elapsed s': elapsed / 1000,
      // With its places always full and nothing between two requests.
      'least possible s': (Math.ceil(count / (maxConnections * workers)) * CALL_MS) / 1000,
    };
  } finally {
    await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
  }
}
