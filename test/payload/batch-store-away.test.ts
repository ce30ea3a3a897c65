/* A store that is full when the responses of a chunk have arrived: they were paid for. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { WireError } from '../../src/index.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';
import { startSecondWorker } from '../temporal/support/second-worker.ts';
import { Memory, temporaryFolder } from './support.ts';

const LARGE = 30_000;
const options = { payloadThreshold: 20_000 };

/** A small response between two large ones, none of which may be sent again. */
const submit = ({ patient, target }: Environment, spec = {}) =>
  patient.submitBatch({
    requests: [LARGE, 10, LARGE].map((bytes) => target.url(`/bytes/${bytes}`)),
    defaults: { method: 'POST', ...spec },
  });

const whole = [LARGE, 10, LARGE].map((bytes) => ({ response: { body: 'x'.repeat(bytes) } }));

test('retried until it fits', async () => {
  const payloadStore = new Memory();
  await using env = await startEnvironment({ ...options, payloadStore });
  payloadStore.away = true;
  const handle = await submit(env);
  await waitFor(() => payloadStore.refused > 2);
  payloadStore.away = false;
  expect((await handle.result()).outcomes).toMatchObject(whole);
  expect(env.target.total).toBe(3);
});

test.each<[string, { spec: object; isDrained: boolean }]>([
  ['when its deadline is over', { spec: { deadline: '3s' }, isDrained: false }],
  ['at the end of a drain', { spec: {}, isDrained: true }],
])('without Redis, %s: all that fits into Temporal', async (_name, { spec, isDrained }) => {
  const payloadStore = new Memory();
  await using env = await startEnvironment({ ...options, payloadStore });
  payloadStore.away = true;
  const handle = await submit(env, spec);
  await waitFor(() => payloadStore.refused > 2);
  if (isDrained) expect(await env.worker.shutdown()).toBe(0);
  else await waitFor(() => env.worker.processor.total === 0);
  payloadStore.away = false;
  await using _second = isDrained ? await startSecondWorker(env, { payloadStore }) : undefined;
  expect((await handle.result()).outcomes).toMatchObject(whole);
  expect(env.target.total).toBe(3);
});

test('what does not is sent again where it may be, and else says what it was', async () => {
  const payloadStore = new Memory();
  await using folder = await temporaryFolder();
  const shared = { ...options, payloadStore, batchDirectory: folder.path };
  await using env = await startEnvironment(shared);
  payloadStore.away = true;
  const [get, post] = ['/bytes/500001', '/bytes/500002'].map((path) => env.target.url(path));
  const requests = [{ url: get! }, ...Array(3).fill({ url: post!, method: 'POST' })];
  const batch = env.patient.batch({ requests, sink: { file: 'out.jsonl' } });
  await waitFor(() => payloadStore.refused > 2);
  expect(await env.worker.shutdown()).toBe(1);
  payloadStore.away = false;
  await using _second = await startSecondWorker(env, shared);
  expect(await batch).toMatchObject({ succeeded: 3, failed: 1 });
  expect(env.target.count('/bytes/500001')).toBe(2);
  expect(env.target.count('/bytes/500002')).toBe(3);
  const lines = (await readFile(join(folder.path, 'out.jsonl'), 'utf8')).trim().split('\n');
  const errors = lines.flatMap((line) => (JSON.parse(line) as { error?: WireError }).error ?? []);
  expect(errors).toMatchObject([
    {
      ...{ type: 'OutcomeUnknownError', phase: 'sent' },
      message: expect.stringContaining('memory cannot store') as string,
      response: { status: 200, body: 'x'.repeat(2048), bodyTruncated: true },
    },
  ]);
});

test('with Redis, the responses outlive the drain of their process', async () => {
  await using redis = await startRedis();
  const payloadStore = new Memory();
  const shared = { ...options, payloadStore, redisUrl: redis.url, leaseTtl: 1_500 };
  await using env = await startEnvironment(shared);
  payloadStore.away = true;
  const handle = await submit(env);
  await waitFor(() => payloadStore.refused > 2);
  expect(await env.worker.shutdown()).toBe(0);
  const before = payloadStore.refused;
  await using _second = await startSecondWorker(env, shared);
  await waitFor(() => payloadStore.refused > before + 2);
  payloadStore.away = false;
  expect((await handle.result()).outcomes).toMatchObject(whole);
  expect(env.target.total).toBe(3);
});
