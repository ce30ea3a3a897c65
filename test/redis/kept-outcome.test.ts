import type { Payload, PayloadCodec } from '@temporalio/common';
import { expect, inject, test } from 'vitest';
import type { PatientWorkerOptions } from '../../src/index.ts';
import { startEnvironment } from '../support/environment.ts';
import { startRedis } from '../support/redis.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';
import { startFreezingProxy } from '../temporal/support/freezing-proxy.ts';
import { startSecondWorker } from '../temporal/support/second-worker.ts';

/** Hides what it is given, as encryption does. */
class Hiding implements PayloadCodec {
  async encode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map(({ metadata, data }) => ({
      metadata: { ...metadata, hidden: Buffer.from('1') },
      data: data!.map((byte) => byte ^ 0xff),
    }));
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map(({ metadata, data }) => ({
      metadata: metadata ?? {},
      data: metadata?.['hidden'] ? data!.map((byte) => byte ^ 0xff) : data!,
    }));
  }
}

test.each<[string, Partial<PatientWorkerOptions>]>([
  ["a user's codec", { dataConverter: { payloadCodecs: [new Hiding()] } }],
  ['our encryption', { encryptionKeys: [{ id: 'a', key: Buffer.alloc(32, 1) }], compress: true }],
])('an outcome is kept as %s hides it, and another process delivers it', async (_name, codec) => {
  await using redis = await startRedis();
  await using redisNetwork = await startTcpProxy(redis.port);
  await using temporal = await startFreezingProxy(inject('temporalAddress'));
  // Where outcomes are larger than this they are in the store, and their references are kept.
  const store = codec.compress ? { payloadStore: redis.url, payloadThreshold: 100 } : {};
  const options = { ...codec, ...store, leaseTtl: 1_500 };
  await using env = await startEnvironment({
    ...options,
    address: temporal.address,
    redisUrl: `redis://127.0.0.1:${redisNetwork.port}`,
  });
  const handle = await env.patient.submit.post(env.target.url('/hold'), { json: { secret: 1 } });
  await env.target.waitFor(({ held }) => held === 1);
  // Temporal does not answer any more when the response comes, and then its worker is cut off.
  temporal.freeze();
  env.target.release();
  const [request] = await redis.redis.keys('*:request:*');
  const outcome = await waitFor(() => redis.redis.hget(request!, 'outcome'));
  redisNetwork.cut();
  expect(outcome).not.toContain('status');
  expect(Buffer.from(JSON.parse(outcome)[0].data, 'base64').toString()).not.toContain('held');

  const survivor = { ...env, address: inject('temporalAddress') };
  await using _second = await startSecondWorker(survivor, { ...options, redisUrl: redis.url });
  await waitFor(async () => (await redis.redis.keys('*:request:*')).length === 0);
  temporal.thaw();
  redisNetwork.restore();
  expect(await handle.result()).toMatchObject({ status: 200, body: '{"held":true}', attempt: 1 });
  expect(env.target.total).toBe(1);
});

/** Stumbles over whatever has this text. */
class Stumbling implements PayloadCodec {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  async encode(payloads: Payload[]): Promise<Payload[]> {
    const isOver = payloads.some(({ data }) => Buffer.from(data!).includes(this.#text));
    if (isOver) throw new Error('no codec for this');
    return payloads;
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads;
  }
}

test('of a chunk that is handed back for want of a codec what was kept is there for the next', async () => {
  await using redis = await startRedis();
  const shared = { redisUrl: redis.url, leaseTtl: 1_500 };
  await using env = await startEnvironment({
    ...shared,
    dataConverter: { payloadCodecs: [new Stumbling('held')] },
    drainTimeout: 500,
  });
  const requests = ['/bytes/9', '/hold'].map((path) => {
    return { method: 'POST' as const, url: env.target.url(path) };
  });
  const batch = await env.patient.submitBatch({
    requests,
    // Should the process end before it has handed the chunk back.
    defaults: { heartbeatTimeout: '10s' },
  });
  await env.target.waitFor(({ held }) => held === 1);
  const [request] = await redis.redis.keys('*:request:*');
  await waitFor(() => redis.redis.hget(request!, 'outcome:0'));
  env.target.release();
  // It cannot be kept, nor delivered.
  expect(await env.worker.shutdown()).toBe(1);
  await using _second = await startSecondWorker(env, shared);
  expect((await batch.result()).outcomes).toMatchObject([
    { response: { status: 200, body: 'xxxxxxxxx' } },
    { error: { type: 'OutcomeUnknownError' } },
  ]);
  expect(env.target.total).toBe(2);
});
