/** Batches of any size from every source to every sink, on two worker processes. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BatchSpec, SinkItem, SourcePage } from '../../src/index.ts';
import { startFleet, type Fleet } from '../redis/fleet.ts';
import { quietRuntime } from '../support/environment.ts';
import { FULL } from './size.ts';

const COUNT = FULL ? 100_000 : 1_000;
/** What the argument of a workflow has room for. */
const MAX_ARGUMENT = 2_000_000;
const PAGE = FULL ? 2_000 : 150;

let fleet: Fleet;
let directory: string;
let connection: NativeConnection;
let user: Worker;
let running: Promise<void>;
/** Requests that the target has seen, by index. */
let hits: Uint16Array;
/** Outcomes that the sink has had, by index. */
let saved: Uint16Array;

const url = (i: number): string => fleet.target.url(`/${i}`);
const urls = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => url(from + i));

const activities = {
  async page(cursor: number | null, count: number): Promise<SourcePage> {
    const at = cursor ?? 0;
    const next = Math.min(at + PAGE, count);
    return { requests: urls(at, next - at), cursor: next < count ? next : null };
  },
  async save(items: SinkItem[]): Promise<void> {
    for (const item of items) take(item);
  },
};

function take(item: SinkItem): void {
  if ('response' in item && item.response.url === url(item.index)) saved[item.index]!++;
}

beforeAll(async () => {
  quietRuntime();
  directory = await mkdtemp(join(tmpdir(), 'patient-large-'));
  fleet = await startFleet({
    // A process that a busy machine holds up for longer is taken for dead, and its GETs are sent again:
    // see stalled-batch.test.ts.
    env: { PATIENT_BATCH_DIRECTORY: directory, PATIENT_LEASE_TTL: '10s' },
    target: {
      record: false,
      handler(request, response) {
        hits[Number(request.url!.slice(1))]!++;
        response.end('ok');
        return true;
      },
    },
  });
  await Promise.all([fleet.worker(), fleet.worker()]);
  connection = await NativeConnection.connect({ address: fleet.temporalAddress });
  user = await Worker.create({ connection, taskQueue: `${fleet.taskQueue}:user`, activities });
  running = user.run();
});

afterAll(async () => {
  user?.shutdown();
  await running;
  await connection?.close();
  await fleet?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

type Source = 'argument' | 'file' | 'activity';
type Sink = 'file' | 'activity';

async function sourceOf(kind: Source, count: number, file: string): Promise<Partial<BatchSpec>> {
  if (kind === 'argument') return { requests: urls(0, count) };
  if (kind === 'activity') {
    return { source: { activity: 'page', taskQueue: user.options.taskQueue, args: [count] } };
  }
  await writeFile(join(directory, file), urls(0, count).join('\n'));
  return { source: { file } };
}

const all: [Source, Sink][] = (['argument', 'file', 'activity'] as const).flatMap((source) => [
  [source, 'file'],
  [source, 'activity'],
]);
const large: [Source, Sink][] = [
  ['argument', 'activity'],
  ['file', 'file'],
  ['activity', 'activity'],
];

test.each(FULL ? large : all)('from %s to %s', { timeout: 900_000 }, async (from, to) => {
  const most = Math.floor(MAX_ARGUMENT / (JSON.stringify(url(COUNT)).length + 1));
  const count = from === 'argument' ? Math.min(COUNT, most) : COUNT;
  const name = randomUUID();
  hits = new Uint16Array(count);
  saved = new Uint16Array(count);
  const source = await sourceOf(from, count, `${name}.in`);
  const file = `${name}.out`;
  const sink = to === 'file' ? { file } : { activity: 'save', taskQueue: user.options.taskQueue };
  const started = performance.now();
  const chunkSize = FULL ? 500 : 100;
  const result = await fleet.patient.batch({ ...source, sink, chunkSize });
  const ms = Math.round(performance.now() - started);
  expect(result).toEqual({ succeeded: count, failed: 0, sink });
  if (to === 'file') {
    const lines = createInterface({ input: createReadStream(join(directory, file)) });
    for await (const line of lines) take(JSON.parse(line) as SinkItem);
  }
  // Exactly once at the target; a file has each line once, an activity each outcome at least once.
  expect(hits.filter((times) => times !== 1)).toHaveLength(0);
  expect(saved.filter((times) => (to === 'file' ? times !== 1 : times < 1))).toHaveLength(0);
  console.log(`${count} requests from ${from} to ${to}, two processes: ${ms} ms`);
});
