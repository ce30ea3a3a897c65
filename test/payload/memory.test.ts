/* What large bodies take of a worker's memory: the command as it is shipped, in a process of its own. */
import { readFile, writeFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startTargetServer, type TargetServer } from '../../src/testing/target-server.ts';
import { start } from '../cli/process.ts';
import { startRedis } from '../support/redis.ts';
import { startS3 } from '../support/s3.ts';
import { waitFor } from '../support/wait-for.ts';
import { A, temporaryFolder, unique } from './support.ts';

const MIB = 1024 * 1024;
const LONG = 300_000;
/** MiB of the one, and of each of the many. */
const [ONE, EACH, MANY] = [64, 8, 8];
/** `clear_refs` begins the peak anew. */
const isMeasurable = process.platform === 'linux';

let target: TargetServer;
let connection: Connection;

beforeAll(async () => {
  // Letters and quotes in no order that zlib knows: it halves them.
  const piece = Buffer.from(Array.from({ length: MIB }, () => 33 + Math.floor(Math.random() * 90)));
  target = await startTargetServer({
    record: false,
    handler(request, response) {
      const pieces = Number(request.url!.slice(1));
      response.writeHead(200, { 'content-type': 'text/plain' });
      for (let i = 0; i < pieces; i++) response.write(piece);
      response.end();
      return true;
    },
  });
  connection = await Connection.connect({ address: inject('temporalAddress') });
});
afterAll(async () => {
  await connection?.close();
  await target?.close();
});

const stores: [string, () => Promise<{ url: string } & AsyncDisposable>][] = [
  ['file', temporaryFolder],
  ['Redis', startRedis],
  [
    'S3',
    async () => {
      const s3 = await startS3();
      await s3.createBucket('payloads');
      return { url: s3.url('payloads'), [Symbol.asyncDispose]: () => s3.kill() };
    },
  ],
];

test.runIf(isMeasurable).each(stores)('%s', { timeout: LONG }, async (_name, open) => {
  await using store = await open();
  const taskQueue = unique('memory');
  await using worker = start(['dist/src/cli/main.js', 'worker'], {
    ...{ TEMPORAL_ADDRESS: inject('temporalAddress'), PATIENT_TASK_QUEUE: taskQueue },
    ...{ PATIENT_ALLOW_PRIVATE_ADDRESSES: 'true', PATIENT_MAX_RESPONSE_SIZE: String(ONE * MIB) },
    ...{ PATIENT_ENCRYPTION_KEYS: `a:${A}`, PATIENT_PAYLOAD_STORE: store.url },
    ...{ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'us-east-1' },
  });
  await worker.prints('patient-http worker ready: ');
  const client = new Client({ connection });
  const get = async (mebibytes: number): Promise<void> => {
    const spec = { url: target.url(`/${mebibytes}`), timeout: '4m' };
    const workflowId = unique('memory');
    const handle = await client.workflow.start('patientGet', {
      taskQueue,
      workflowId,
      args: [spec],
    });
    await waitFor(async () => (await handle.describe()).status.name !== 'RUNNING', {
      ...{ timeout: 240_000, interval: 100 },
    });
    expect((await handle.describe()).status.name).toBe('COMPLETED');
  };
  const status = `/proc/${worker.pid}/status`;
  const memory = async (name: 'VmRSS' | 'VmHWM'): Promise<number> => {
    const [, kilobytes] = new RegExp(`${name}:\\s+(\\d+)`).exec(await readFile(status, 'utf8'))!;
    return Number(kilobytes) * 1024;
  };
  /** The peak above what the process had before anything large. */
  const peakOf = async (work: () => Promise<unknown>): Promise<number> => {
    await writeFile(`/proc/${worker.pid}/clear_refs`, '5');
    await work();
    return (await memory('VmHWM')) - idle;
  };
  await get(0);
  const idle = await memory('VmRSS');

  const one = await peakOf(() => get(ONE));
  const many = await peakOf(() => Promise.all(Array.from({ length: MANY }, () => get(EACH))));
  expect(one).toBeLessThan(2 * ONE * MIB);
  // All of them, and those whose turn it is once more.
  expect(many).toBeLessThan(3 * MANY * EACH * MIB);
});
