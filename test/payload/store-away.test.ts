/* A store that is full or away when a response has arrived: the response was paid for. */
import { rename, writeFile, rm } from 'node:fs/promises';
import { CancelledFailure } from '@temporalio/common';
import { expect, inject, test } from 'vitest';
import type { PatientOptions, ProcessorObserver } from '../../src/index.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { startS3 } from '../support/s3.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';
import { startFreezingProxy } from '../temporal/support/freezing-proxy.ts';
import { failureOf, rejection } from '../temporal/support/outcomes.ts';
import { startSecondWorker } from '../temporal/support/second-worker.ts';
import { A, Memory, temporaryFolder } from './support.ts';

const LONG = 120_000;
const THRESHOLD = 3_000;
const BODY = 'x'.repeat(5_000);

const post = (env: Environment, options = {}) =>
  env.patient.submit.post(env.target.url('/bytes/5000'), options);

test('while it is full, a response in hand is kept until it fits', async () => {
  const payloadStore = new Memory();
  await using env = await startEnvironment({ payloadStore, payloadThreshold: THRESHOLD });
  payloadStore.away = true;
  const handle = await post(env, { heartbeatTimeout: '2s' });
  await waitFor(() => payloadStore.refused > 2);
  payloadStore.away = false;
  expect((await handle.result())!.body).toBe(BODY);
  expect(env.target.total).toBe(1);
});

test('one that stays full is a failure that says so, and nothing is sent again', async () => {
  const payloadStore = new Memory();
  await using env = await startEnvironment({ payloadStore, payloadThreshold: THRESHOLD });
  payloadStore.away = true;
  const url = env.target.url('/bytes/5000');
  const failure = await failureOf(env.patient.post(url, { deadline: '5s' }));
  expect(failure).toMatchObject({ type: 'UnknownError', phase: 'sent' });
  expect(failure.message).toContain('payloadStore: memory cannot store a payload of 5');
  expect(failure.message).toContain('no space left');
  // It was paid for: as much of it as a failure holds.
  expect(failure.response).toMatchObject({ status: 200, body: BODY.slice(0, 2048) });
  expect(payloadStore.refused).toBeGreaterThan(2);
  expect(env.target.total).toBe(1);
});

test('a cancel ends the wait', async () => {
  const payloadStore = new Memory();
  await using env = await startEnvironment({ payloadStore, payloadThreshold: THRESHOLD });
  payloadStore.away = true;
  const handle = await post(env);
  await waitFor(() => payloadStore.refused > 2);
  await handle.cancel();
  expect(await rejection(handle.result())).toBeInstanceOf(CancelledFailure);
  expect(env.target.total).toBe(1);
});

test('the end of a drain does too, where nobody else has the response', async () => {
  const payloadStore = new Memory();
  await using env = await startEnvironment({ payloadStore, payloadThreshold: THRESHOLD });
  payloadStore.away = true;
  const handle = await post(env);
  await waitFor(() => payloadStore.refused > 2);
  expect(await env.worker.shutdown()).toBe(1);
  await using _second = await startSecondWorker(env, { payloadStore });
  expect((await failureOf(handle.result())).message).toContain('memory cannot store');
  expect(env.target.total).toBe(1);
});

test('where it may be sent again, another process sends it', async () => {
  const payloadStore = new Memory();
  await using env = await startEnvironment({ payloadStore, payloadThreshold: THRESHOLD });
  payloadStore.away = true;
  const handle = await env.patient.submit.get(env.target.url('/bytes/5000'));
  await waitFor(() => payloadStore.refused > 2);
  expect(await env.worker.shutdown()).toBe(0);
  payloadStore.away = false;
  await using _second = await startSecondWorker(env, { payloadStore });
  expect(await handle.result()).toMatchObject({ status: 200, body: BODY });
  expect(env.target.total).toBe(2);
});

test('one that never answers does not keep the response to itself', async () => {
  await using redis = await startRedis();
  const payloadStore = new Memory();
  const options = { payloadStore, payloadThreshold: THRESHOLD, redisUrl: redis.url };
  await using env = await startEnvironment({ ...options, leaseTtl: 1_500 });
  payloadStore.silent = true;
  const [left, cancelled] = [await post(env), await post(env)];
  await waitFor(() => payloadStore.refused === 2);
  await cancelled.cancel();
  expect(await rejection(cancelled.result())).toBeInstanceOf(CancelledFailure);
  expect(await env.worker.shutdown()).toBe(0);
  payloadStore.silent = false;
  await using _second = await startSecondWorker(env, { ...options, leaseTtl: 1_500 });
  expect(await left.result()).toMatchObject({ status: 200, body: BODY });
  expect(env.target.total).toBe(2);
});

test('with Redis the response outlives the drain of its process', async () => {
  await using redis = await startRedis();
  const payloadStore = new Memory();
  const options = { payloadStore, payloadThreshold: THRESHOLD, redisUrl: redis.url };
  await using env = await startEnvironment({ ...options, leaseTtl: 1_500 });
  payloadStore.away = true;
  const handle = await post(env);
  await waitFor(() => payloadStore.refused > 2);
  expect(await env.worker.shutdown()).toBe(0);
  await using _second = await startSecondWorker(env, { ...options, leaseTtl: 1_500 });
  await waitFor(() => payloadStore.refused > 5);
  payloadStore.away = false;
  expect(await handle.result()).toMatchObject({ status: 200, body: BODY });
  expect(env.target.total).toBe(1);
});

test('and its death, hidden as in a history', async () => {
  await using redis = await startRedis();
  await using redisNetwork = await startTcpProxy(redis.port);
  await using temporal = await startFreezingProxy(inject('temporalAddress'));
  const payloadStore = new Memory();
  const options = { payloadStore, payloadThreshold: THRESHOLD, encryptionKeys: [`a:${A}`] };
  await using env = await startEnvironment({
    ...{ ...options, leaseTtl: 1_500, address: temporal.address },
    redisUrl: `redis://127.0.0.1:${redisNetwork.port}`,
  });
  payloadStore.away = true;
  const handle = await post(env);
  await waitFor(() => payloadStore.refused > 2);
  const outcome = await keptOutcome(redis);
  expect(Buffer.from(JSON.parse(outcome)[0].data, 'base64').includes('xxx')).toBe(false);
  temporal.freeze();
  redisNetwork.cut();

  const survivor = { ...env, address: inject('temporalAddress') };
  await using _second = await startSecondWorker(survivor, {
    ...{ ...options, leaseTtl: 1_500, redisUrl: redis.url },
  });
  payloadStore.away = false;
  await waitFor(async () => (await redis.redis.keys('*:request:*')).length === 0);
  temporal.thaw();
  redisNetwork.restore();
  expect(await handle.result()).toMatchObject({ status: 200, body: BODY, attempt: 1 });
  expect(env.target.total).toBe(1);
});

test(
  'what its survivor cannot take either fails, and observers hear of it',
  { timeout: LONG },
  async () => {
    await using redis = await startRedis();
    await using redisNetwork = await startTcpProxy(redis.port);
    const [host, port] = inject('temporalAddress').split(':');
    await using temporal = await startTcpProxy(Number(port));
    const size = 3_000_000;
    const payloadStore = new Memory();
    const options = { maxResponseSize: size, leaseTtl: 1_500 };
    await using env = await startEnvironment({
      ...{ ...options, payloadStore, address: `${host}:${temporal.port}` },
      redisUrl: `redis://127.0.0.1:${redisNetwork.port}`,
    });
    payloadStore.away = true;
    const handle = await env.patient.submit.post(env.target.url(`/bytes/${size}`));
    await keptOutcome(redis);
    temporal.cut();
    redisNetwork.cut();

    const told: string[] = [];
    const observer: ProcessorObserver = {
      requestResponse: (_task, { status }) => void told.push(`${status}`),
      responseReplaced: ({ path }, { type }) => void told.push(`${path} ${type}`),
    };
    const survivor = { ...env, address: inject('temporalAddress') };
    await using _second = await startSecondWorker(survivor, {
      ...{ ...options, redisUrl: redis.url, observers: [observer] },
    });
    await waitFor(() => told.length > 0, { timeout: 30_000 });
    temporal.restore();
    redisNetwork.restore();
    expect(await failureOf(handle.result())).toMatchObject({ type: 'ResponseTooLargeError' });
    expect(told).toEqual([`/bytes/${size} ResponseTooLargeError`]);
    expect(env.target.total).toBe(1);
  },
);

test('what the store has is not kept in Redis once more', { timeout: LONG }, async () => {
  await using redis = await startRedis();
  await using temporal = await startFreezingProxy(inject('temporalAddress'));
  await using folder = await temporaryFolder();
  const size = 20_000_000;
  await using env = await startEnvironment({
    ...{ payloadStore: folder.url, redisUrl: redis.url, maxResponseSize: size },
    address: temporal.address,
  });
  const handle = await env.patient.submit.post(env.target.url(`/bytes/${size}`));
  await env.target.waitFor(({ total }) => total > 0);
  temporal.freezeAnswers();
  const outcome = await keptOutcome(redis);
  expect(outcome.length).toBeLessThan(10_000);
  temporal.thaw();
  expect((await handle.result())!.body!.length).toBe(size);
});

const keptOutcome = (redis: RedisServer): Promise<string> =>
  waitFor(
    async () => {
      const [request] = await redis.redis.keys('*:request:*');
      return request && redis.redis.hget(request, 'outcome');
    },
    { timeout: 60_000 },
  );

interface Outage {
  payloadStore: string;
  begin: () => Promise<unknown>;
  end: () => Promise<unknown>;
  says: string;
}

const kinds: [string, (use: (outage: Outage) => Promise<void>) => Promise<void>][] = [
  [
    'a folder that is gone',
    async (use) => {
      await using folder = await temporaryFolder();
      const aside = `${folder.path}-aside`;
      await use({
        payloadStore: folder.url,
        begin: () => rename(folder.path, aside).then(() => writeFile(folder.path, '')),
        end: () => rm(folder.path).then(() => rename(aside, folder.path)),
        says: 'ENOTDIR',
      });
    },
  ],
  [
    'a Redis that is full',
    async (use) => {
      await using redis = await startRedis();
      const limit = (bytes: string) => redis.redis.config('SET', 'maxmemory', bytes);
      await use({
        payloadStore: redis.url,
        begin: () => limit('1'),
        end: () => limit('0'),
        says: 'OOM',
      });
    },
  ],
  [
    'a Redis that is away',
    async (use) => {
      await using redis = await startRedis({ persistent: true });
      await use({
        payloadStore: redis.url,
        begin: () => redis.kill(),
        end: () => redis.restart(),
        says: 'no connection',
      });
    },
  ],
  [
    'an S3 that is away',
    async (use) => {
      await using s3 = await startS3();
      await s3.createBucket('payloads');
      await using network = await startTcpProxy(Number(new URL(s3.endpoint).port));
      await use({
        payloadStore: `s3://payloads?endpoint=http://127.0.0.1:${network.port}`,
        begin: async () => network.cut(),
        end: async () => network.restore(),
        says: 's3://payloads',
      });
    },
  ],
];

test.each(kinds)(
  '%s: retried, and named when it stays so',
  { timeout: LONG },
  async (_name, outage) => {
    await outage(async ({ payloadStore, begin, end, says }) => {
      const options: PatientOptions = { payloadStore, payloadThreshold: THRESHOLD };
      await using env = await startEnvironment(options);
      await begin();
      const failure = await failureOf(
        env.patient.post(env.target.url('/bytes/5000'), { deadline: '4s' }),
      );
      expect(failure.message).toContain(says);
      const handle = await post(env);
      await env.target.waitFor(({ total }) => total === 2);
      await end();
      expect((await handle.result())!.body).toBe(BODY);
      expect(env.target.total).toBe(2);
    });
  },
);
