import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { difference, historyEvents, redisCommands, temporalCalls, total } from '../counters.ts';
import type { Environment } from '../environment.ts';
import { cpuBetween } from '../measure.ts';
import { startPeer, type Peer } from '../peer.ts';
import type { patient } from '../peers/patient.ts';
import type { CaseResult, Row } from '../report.ts';

const CHUNK = 500;
const CHUNKS = 10;
const PLACES = 4_000;

export interface GrowthOptions {
  /** Requests, in one batch. */
  counts: number[];
  /** Worker processes. */
  workers: number[];
  /** Bytes of a response. */
  sizes: number[];
}

interface Load {
  requests: number;
  workers: number;
  bytes: number;
}

/** One batch from a file to a file, as it grows in one direction at a time. */
export async function growth(
  env: Environment,
  { counts, workers, sizes }: GrowthOptions,
): Promise<CaseResult> {
  const least = { requests: counts[0]!, workers: workers[0]!, bytes: sizes[0]! };
  const loads: Load[] = [
    ...counts.map((requests) => ({ ...least, requests })),
    ...workers
      .slice(1)
      .map((count) => ({ ...least, requests: counts[1] ?? 1_000, workers: count })),
    ...sizes.slice(1).map((bytes) => ({ ...least, bytes })),
  ];
  const rows: Row[] = [];
  for (const load of loads) rows.push({ ...load, ...(await measure(env, load)) });
  return {
    title: 'A batch as it grows: more requests, more workers, larger responses',
    parameters: { chunkSize: CHUNK, concurrency: CHUNKS, maxConnections: PLACES },
    rows,
    remarks: [],
    rounds: rows,
  };
}

async function measure(env: Environment, { requests, workers, bytes }: Load): Promise<Row> {
  const { driver, client, redis, redisUrl, metricsUrl, temporalAddress: address, origin } = env;
  const batchDirectory = await mkdtemp(join(tmpdir(), 'patient-bench-'));
  const peers: Peer<typeof patient>[] = [];
  try {
    const taskQueue = `growth-${requests}-${workers}-${bytes}`;
    for (let i = 0; i < workers; i++) {
      const peer = await startPeer<typeof patient>('patient');
      peers.push(peer);
      const options = { address, taskQueue, redisUrl, batchDirectory, maxConnections: PLACES };
      await peer.call('start', options);
    }
    const run = (file: string) =>
      driver.call('batches', {
        taskQueue,
        batches: [
          {
            ...{ source: { file }, sink: { file: `${file}.out` } },
            ...{ chunkSize: CHUNK, concurrency: CHUNKS },
          },
        ],
      });
    const write = (file: string, url: string, count: number) =>
      writeFile(join(batchDirectory, file), `${url}\n`.repeat(count));
    await write('warm-up', `${origin}/bytes/20`, 1_000);
    await write('requests', `${origin}/sized/${bytes}/1000`, requests);
    await run('warm-up');

    const since = new Date();
    const temporal = await temporalCalls(metricsUrl);
    const inRedis = await redisCommands(redis);
    const before = await usageOf(peers);
    const started = performance.now();
    const { length: succeeded } = await run('requests');
    const seconds = (performance.now() - started) / 1000;
    const after = await usageOf(peers);
    const redisUsed = difference(inRedis, await redisCommands(redis));
    const temporalUsed = difference(temporal, await temporalCalls(metricsUrl));
    const events = await historyEvents(client, since);
    const peaks = await Promise.all(peers.map((peer) => peer.call('peakRss')));
    return {
      failed: requests - succeeded,
      'req/s': requests / seconds,
      'CPU ms/req': sum(before.map((usage, i) => cpuBetween(usage, after[i]!))) / requests,
      'peak RSS MB': Math.max(...peaks) / 1024 ** 2,
      'RPCs/1000': (total(temporalUsed) * 1_000) / requests,
      'events/1000': (events * 1_000) / requests,
      'Redis calls/req': total(redisUsed) / requests,
    };
  } finally {
    await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
    await rm(batchDirectory, { recursive: true });
  }
}

function usageOf(peers: Peer<typeof patient>[]) {
  return Promise.all(peers.map((peer) => peer.call('usage', { gc: false })));
}

function sum(values: number[]): number {
  return values.reduce((before, value) => before + value, 0);
}
