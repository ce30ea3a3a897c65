import { setTimeout as delay } from 'node:timers/promises';
import type { RequestSpec } from '../../src/index.ts';
import type { Environment } from '../environment.ts';
import { median } from '../measure.ts';
import { startPeer, type Peer } from '../peer.ts';
import type { patient } from '../peers/patient.ts';
import { ratio, type CaseResult, type Row } from '../report.ts';

const WORKERS = 4;
const LEASE_TTL = 5_000;
const CHUNK = 100;
/** What Temporal has just handed to a killed process is found by it. */
const HEARTBEAT_TIMEOUT = '10s';

export interface FlowOptions {
  /** Per second. */
  rate: number;
  burst: number;
  concurrency: number;
  /** How long a limited key is kept busy. */
  seconds: number;
  /** Waiting on a limited key, beside others. */
  waiting: number;
  /** On the key beside it. */
  beside: number;
  rounds: number;
}

/** What the target sees of limits that four processes share, singles and batches of one key alike. */
export async function flow(env: Environment, options: FlowOptions): Promise<CaseResult> {
  const { rate, burst, concurrency, seconds, rounds } = options;
  const rows: Row[] = [];
  for (const killed of [0, 1]) {
    const limits = { rate, burst };
    rows.push(await limited(env, limits, 20, rate * seconds, killed));
  }
  for (const killed of [0, 1]) {
    const ms = 100;
    rows.push(
      await limited(env, { concurrency }, ms, (concurrency / ms) * 1_000 * seconds, killed),
    );
  }
  const besides = await beside(env, options);
  return {
    title: `Limits that ${WORKERS} processes share, as the target sees them`,
    parameters: { rate, burst, concurrency, workers: WORKERS, rounds },
    rows,
    remarks: [
      `Another key has ${ratio(besides.crowded, besides.alone)} of its throughput while ` +
        `${options.waiting} requests wait for a limited one (medians of ${rounds}).`,
    ],
    rounds: { rows, besides },
  };
}

async function limited(
  env: Environment,
  limits: NonNullable<RequestSpec['flow']>,
  ms: number,
  count: number,
  killed: number,
): Promise<Row> {
  const key = `${limits.rate ? 'rate' : 'concurrency'}-${killed}`;
  const spec = { flow: { key, ...limits }, heartbeatTimeout: HEARTBEAT_TIMEOUT } as const;
  const url = `${env.origin}/seen/${key}/${ms}`;
  const workers = await startWorkers(env, key, WORKERS);
  try {
    const { driver, target } = env;
    const half = Math.floor(count / 2);
    const started = performance.now();
    const running = Promise.all([
      driver.call('fanOut', {
        workflowType: 'patientFanOut',
        taskQueue: key,
        url,
        spec,
        count: half,
      }),
      driver.call('batches', {
        taskQueue: key,
        batches: [
          { requests: Array<string>(count - half).fill(url), defaults: spec, chunkSize: CHUNK },
        ],
      }),
    ]);
    if (killed) {
      while ((await target.call('seen', key)).at.length < count / 4) await delay(50);
      workers[0]!.kill();
    }
    const answered = (await running).flat().length;
    const elapsed = (performance.now() - started) / 1_000;
    const { at, peak } = await target.call('seen', key);
    const possible = limits.rate ?? (limits.concurrency! / ms) * 1_000;
    return {
      limit: limits.rate
        ? `${limits.rate}/s, burst ${limits.burst}`
        : `${limits.concurrency} at once`,
      killed,
      requests: count,
      failed: count - answered,
      'sent again': at.length - count,
      'most in a second': mostIn(at, 1_000),
      'most at once': peak,
      'of the limit used': rateOf(at) / possible,
      'elapsed s': elapsed,
    };
  } finally {
    await Promise.all(workers.map((peer) => peer[Symbol.asyncDispose]()));
  }
}

/** The throughput of a key that nobody waits for, alone and beside a crowd; in turn. */
async function beside(env: Environment, { waiting, beside: count, rounds }: FlowOptions) {
  const { driver, target, origin } = env;
  const taskQueue = 'beside';
  const workers = await startWorkers(env, taskQueue, 1, { maxWaiting: waiting });
  const crowd = `${origin}/held/crowd`;
  const run = async (): Promise<number> => {
    const requests = Array<string>(count).fill(`${origin}/sized/100/200`);
    const started = performance.now();
    await driver.call('batches', { taskQueue, batches: [{ requests, chunkSize: 500 }] });
    return (count * 1_000) / (performance.now() - started);
  };
  try {
    await run();
    const alone: number[] = [];
    for (let round = 0; round < rounds; round++) alone.push(await run());
    const workflowIds = await driver.call('startBatches', {
      taskQueue,
      batches: [
        {
          requests: Array<string>(waiting).fill(crowd),
          defaults: { flow: { key: 'crowd', concurrency: 1 }, timeout: '1h' },
          chunkSize: 500,
        },
      ],
    });
    while ((await workers[0]!.call('waiting')) < waiting - 1) await delay(100);
    const crowded: number[] = [];
    for (let round = 0; round < rounds; round++) crowded.push(await run());
    await driver.call('terminate', workflowIds);
    await target.call('reset');
    return { alone: median(alone), crowded: median(crowded), rounds: { alone, crowded } };
  } finally {
    await Promise.all(workers.map((peer) => peer[Symbol.asyncDispose]()));
  }
}

async function startWorkers(
  { temporalAddress: address, redisUrl }: Environment,
  taskQueue: string,
  count: number,
  options: { maxWaiting?: number } = {},
): Promise<Peer<typeof patient>[]> {
  const peers = await Promise.all(
    Array.from({ length: count }, () => startPeer<typeof patient>('patient')),
  );
  const settings = { address, taskQueue, redisUrl, leaseTtl: LEASE_TTL, ...options };
  await Promise.all(peers.map((peer) => peer.call('start', settings)));
  return peers;
}

/** The most that any window of so many ms holds. */
function mostIn(at: readonly number[], ms: number): number {
  const sorted = [...at].sort((a, b) => a - b);
  let first = 0;
  return sorted.reduce((most, time, last) => {
    while (time - sorted[first]! >= ms) first++;
    return Math.max(most, last - first + 1);
  }, 0);
}

/** Per second, without the first and the last tenth: the start and the end are not the limit's. */
function rateOf(at: readonly number[]): number {
  const sorted = [...at].sort((a, b) => a - b);
  const [from, to] = [Math.floor(sorted.length / 10), Math.floor((sorted.length * 9) / 10)];
  return ((to - from) * 1_000) / (sorted[to]! - sorted[from]!);
}
