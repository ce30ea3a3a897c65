// The main job, end to end: a workflow makes many slow calls, Patient HTTP keeps them in flight,
// callback workflows learn how they ended. Workflow code is in workflows.ts.
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
// In a project of your own: from 'patient-http' and 'patient-http/testing'.
import { PatientPlugin, type RequestSpec } from '../../src/index.ts';
import { RedisMissingError, startRedisServer } from '../../src/testing/redis-server.ts';
import { findTemporalCli } from '../../src/testing/temporal-cli.ts';
import { startTemporalServer } from '../../src/testing/temporal-server.ts';
import { readArguments, UsageError } from './arguments.ts';
import { CallbackLog } from './callbacks.ts';
import { killHalfWay, startFleet, withHeartbeat } from './crash.ts';
import { InputError, loadRequests, resolveUrl, SLOW_API } from './load-requests.ts';
import { measurePlainFetch } from './plain-fetch.ts';
import { Progress } from './progress.ts';
import { formatReport } from './report.ts';
import { startSlowApi } from './slow-api.ts';
import { makeCalls, type CallResult } from './workflows.ts';

const TASK_QUEUE = 'demo';
/** Calls per workflow. Temporal allows 2,000 pending ones; fewer keep its history short. */
const CHUNK = 100;
/** Workflows at once, so that a file of any length is worked off in order. */
const CHUNKS_AT_ONCE = 15;
const SAMPLE = 300;
const CALLBACK_TIMEOUT = 30_000;

async function main(): Promise<number> {
  const args = readArguments(process.argv.slice(2));
  if (!args) return 0;
  const specs = await loadRequests(args.file);
  const isOurs = specs.every(({ url }) => url.startsWith(SLOW_API));
  if (args.crash && !isOurs)
    throw new InputError(`--crash: not all of ${args.file} is for ${SLOW_API}`);

  await using redis = args.crash ? await startRedisServer() : undefined;
  const cli = await findTemporalCli({ log: console.log });
  console.log(cli.source);
  await using server = await startTemporalServer({ cli: cli.path });
  await using api = await startSlowApi();
  await using fleet = redis && (await startFleet(server.address, redis.url, TASK_QUEUE));
  const requests = specs.map((spec) => withHeartbeat(resolveUrl(spec, api.origin)));
  console.log(`${requests.length} requests from ${args.file}`);

  Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
  const connection = await NativeConnection.connect({ address: server.address });
  const client = new Client({ connection });
  const callbacks = new CallbackLog();
  const progress = new Progress();
  // All there is to add to a worker of your own is the plugin.
  const worker = await Worker.create({
    connection,
    taskQueue: TASK_QUEUE,
    workflowsPath: fileURLToPath(new URL('./workflows.js', import.meta.url)),
    activities: { recordCallback: callbacks.recordCallback },
    plugins: [
      // With a fleet the requests run there, and this process only submits them.
      new PatientPlugin({
        processor: !fleet,
        callbackTaskQueue: TASK_QUEUE,
        // Refused by default; here the API is on this machine.
        allowPrivateAddresses: true,
        observers: [progress],
      }),
    ],
  });
  const summary = await worker.runUntil(async () => {
    const endCrash = fleet && killHalfWay(fleet, api, requests.length);
    if (!fleet) {
      await progress.ready;
      progress.begin(requests.length);
    }
    const started = performance.now();
    const results = await callAll(client, requests);
    const ms = performance.now() - started;
    const crash = endCrash?.();
    if (!fleet) progress.end();
    const [peak, peakAt] = isOurs ? [api.peak, 'at the API'] : [progress.peak, 'in this process'];

    const expected = expectedCallbacks(requests, results);
    await callbacks.waitFor(expected, CALLBACK_TIMEOUT);
    const right = expected.filter((call) => callbacks.isRight(call, results[call]!.outcome));

    const urls = sampleUrls(requests, args.sample ?? (isOurs && !fleet ? SAMPLE : 0));
    if (urls.length) console.log(`Now ${urls.length} of them through a plain fetch activity`);
    const plain = urls.length
      ? await measurePlainFetch(connection, client, { urls, workflowQueue: TASK_QUEUE })
      : undefined;
    const { size: arrived } = callbacks;
    return {
      ...{ results, ms, peak, peakAt, plain, crash },
      callbacks: { expected: expected.length, right: right.length, arrived },
    };
  });
  await connection.close();
  console.log(formatReport(summary));
  const { expected, right, arrived } = summary.callbacks;
  const isComplete = summary.results.length === requests.length;
  const isKept = isComplete && !summary.crash?.forbidden;
  return isKept && right === expected && arrived === expected ? 0 : 1;
}

/** The results in the order of the requests. */
async function callAll(client: Client, requests: RequestSpec[]): Promise<CallResult[]> {
  const results: CallResult[] = [];
  const offsets = Array.from(
    { length: Math.ceil(requests.length / CHUNK) },
    (_, i) => i * CHUNK,
  ).values();
  const workThrough = async (): Promise<void> => {
    for (const first of offsets) {
      const chunk = await client.workflow.execute(makeCalls, {
        workflowId: `demo-${first}`,
        taskQueue: TASK_QUEUE,
        args: [requests.slice(first, first + CHUNK), first],
      });
      chunk.forEach((result, i) => (results[first + i] = result));
    }
  };
  await Promise.all(Array.from({ length: CHUNKS_AT_ONCE }, workThrough));
  return results;
}

/** Of every request that names one, and of every other that failed. */
function expectedCallbacks(requests: RequestSpec[], results: CallResult[]): number[] {
  return requests.flatMap(({ callback }, i) => (callback || results[i]?.failed ? [i] : []));
}

/** As mixed as the requests are; only what may be sent twice. */
function sampleUrls(requests: RequestSpec[], size: number): string[] {
  const gets = requests.filter(({ method = 'GET' }) => method.toUpperCase() === 'GET');
  const step = Math.max(1, gets.length / Math.max(size, 1));
  return Array.from({ length: Math.min(size, gets.length) }, (_, i) => {
    return gets[Math.floor(i * step)]!.url;
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof UsageError;
  const isClear = error instanceof InputError || error instanceof RedisMissingError;
  if (!isUsage && !isClear) throw error;
  console.error(`demo: ${error.message}`);
  process.exitCode = isUsage ? 2 : 1;
}
