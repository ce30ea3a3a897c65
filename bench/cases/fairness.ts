import type { Environment } from '../environment.ts';
import { quantile } from '../measure.ts';
import { startPeer } from '../peer.ts';
import type { patient } from '../peers/patient.ts';
import type { CaseResult, Row } from '../report.ts';

const CALL_MS = 500;
const CHUNK = 500;
/** Single requests at once; each is followed by the next. */
const SINGLES = 20;

export interface FairnessOptions {
  /** Requests of the batch. */
  batch: number;
  /** Single requests meanwhile, as many as before without the batch. */
  singles: number;
  maxConnections: number;
}

/** How long a single request waits for its place in the worker, with and without a large batch there. */
export async function fairness(
  env: Environment,
  { batch, singles, maxConnections }: FairnessOptions,
): Promise<CaseResult> {
  const { temporalAddress: address, redisUrl, driver, origin } = env;
  const taskQueue = 'fairness';
  await using peer = await startPeer<typeof patient>('patient');
  await peer.call('start', { address, taskQueue, redisUrl, maxConnections });
  const url = `${origin}/sized/100/${CALL_MS}`;
  const run = (count: number): Promise<number[]> =>
    driver.call('run', {
      workflowType: 'patientInTurn',
      args: [{ taskQueue, url, count, lanes: SINGLES }],
    }) as Promise<number[]>;
  await run(SINGLES);
  await peer.call('watch');

  const measure = async (name: string): Promise<Row> => {
    await peer.call('waits');
    const latencies = await run(singles);
    const waits = await peer.call('waits');
    return {
      'in the worker': name,
      singles: latencies.length,
      'wait p50 ms': quantile(waits, 0.5),
      'wait p99 ms': quantile(waits, 0.99),
      'wait max ms': Math.max(...waits),
      'latency p50 ms': quantile(latencies, 0.5),
      'latency p99 ms': quantile(latencies, 0.99),
    };
  };
  const rows = [await measure('nothing else')];
  const requests = Array<string>(batch).fill(url);
  let ended = false;
  const running = driver
    .call('batches', {
      taskQueue,
      batches: [{ requests, keep: 'none', chunkSize: CHUNK, concurrency: batch / CHUNK }],
    })
    .finally(() => (ended = true));
  rows.push(await measure(`a batch of ${batch}`));
  const wasOver = ended;
  await running;
  return {
    title: 'The wait of a single request for its place',
    parameters: { maxConnections, 'ms per request': CALL_MS, batch, singles },
    rows,
    remarks: wasOver ? ['The batch ended before the single requests did.'] : [],
    rounds: rows,
  };
}
