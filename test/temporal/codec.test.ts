import type { Payload, PayloadCodec } from '@temporalio/common';
import { expect, test, vi } from 'vitest';
import { bounded } from '../../src/completion/codecs.ts';
import type { ProcessorObserver } from '../../src/index.ts';
import { PayloadError } from '../../src/shared/errors.ts';
import { startEnvironment } from '../support/environment.ts';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';
import { failureOf, rejection } from './support/outcomes.ts';
import { startSecondWorker } from './support/second-worker.ts';

class PassesThrough implements PayloadCodec {
  async encode(payloads: Payload[]): Promise<Payload[]> {
    return payloads;
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads;
  }
}

/** Encodes all but what `refuses` says, of a payload's text. */
class Refuses extends PassesThrough {
  failures = 0;
  readonly #refuses: (text: string) => boolean;
  readonly #error: Error;

  constructor(refuses: (text: string) => boolean, error = new Error('the key store is away')) {
    super();
    this.#refuses = refuses;
    this.#error = error;
  }

  override async encode(payloads: Payload[]): Promise<Payload[]> {
    if (payloads.some(({ data }) => this.#refuses(Buffer.from(data!).toString()))) {
      this.failures++;
      throw this.#error;
    }
    return payloads;
  }
}

test.each<[string, Error]>([
  ['fails once', new Error('the key store is away')],
  ['was silent for a minute', new PayloadError('payloadCodecs: no answer in the end')],
])('a codec that %s costs no response in hand', async (_name, error) => {
  const codec: Refuses = new Refuses(
    (text) => text.includes('"status":200') && codec.failures === 0,
    error,
  );
  await using env = await startEnvironment({ dataConverter: { payloadCodecs: [codec] } });
  const url = env.target.url('/status/200');
  const response = await env.patient.post(url, { heartbeatTimeout: '2s' });
  expect(response.status).toBe(200);
  expect(codec.failures).toBe(1);
  expect(env.target.total).toBe(1);
});

test('of a batch, what a codec does not take costs the others nothing', async () => {
  const codec = new Refuses((text) => text.includes('x'.repeat(10_000)));
  const told: string[] = [];
  const observer: ProcessorObserver = {
    responseReplaced: ({ path }, { type }) => void told.push(`${path} ${type}`),
  };
  await using env = await startEnvironment({
    ...{ dataConverter: { payloadCodecs: [codec] }, observers: [observer] },
  });
  const { outcomes } = await env.patient.batch({
    requests: [20_000, 10].map((bytes) => env.target.url(`/bytes/${bytes}`)),
    defaults: { deadline: '3s' },
  });
  expect(outcomes).toMatchObject([
    { error: { type: 'UnknownError', response: { status: 200, body: 'x'.repeat(2048) } } },
    { response: { status: 200, body: 'x'.repeat(10) } },
  ]);
  expect(env.target.total).toBe(2);
  await waitFor(() => told.length > 0);
  expect(told).toEqual(['/bytes/20000 UnknownError']);
});

test('a batch whose results no codec takes goes back when its process ends', async () => {
  const codec = new Refuses((text) => text.startsWith('[') || text.includes('"status":20'));
  await using env = await startEnvironment({ dataConverter: { payloadCodecs: [codec] } });
  const [get, post] = ['/status/200', '/status/201'].map((path) => env.target.url(path));
  const batch = env.patient.batch({ requests: [{ url: get! }, { url: post!, method: 'POST' }] });
  await waitFor(() => codec.failures > 2);
  await env.worker.shutdown();
  await using _second = await startSecondWorker(env);
  expect((await batch).outcomes).toMatchObject([
    { response: { status: 200 } },
    { error: { type: 'OutcomeUnknownError' } },
  ]);
  expect(env.target.count('/status/200')).toBe(2);
  expect(env.target.count('/status/201')).toBe(1);
});

/** Never gives back what is large, as one that waits for a key service does. */
class Hangs extends PassesThrough {
  asked = 0;

  override async encode(payloads: Payload[]): Promise<Payload[]> {
    if (payloads.every(({ data }) => data!.length < 10_000)) return payloads;
    this.asked++;
    return await new Promise(() => undefined);
  }
}

test.each<[string, boolean]>([
  ['without Redis', false],
  ['with Redis, where the outcome cannot be kept either', true],
])('a codec that never settles ends with the deadline: %s', async (_name, hasRedis) => {
  await using redis = hasRedis ? await startRedis() : undefined;
  const codec = new Hangs();
  await using env = await startEnvironment({
    dataConverter: { payloadCodecs: [codec] },
    ...(redis && { redisUrl: redis.url }),
  });
  const url = env.target.url('/bytes/20000');
  const failure = await failureOf(env.patient.post(url, { deadline: '3s' }));
  expect(failure).toMatchObject({ type: 'UnknownError', phase: 'sent' });
  expect(failure.message).toContain('payloadCodecs: no answer');
  // It was paid for: as much of it as a failure holds.
  expect(failure.response).toMatchObject({ status: 200, body: 'x'.repeat(2048) });
  expect(codec.asked).toBeGreaterThan(0);
  expect(env.target.total).toBe(1);
});

/** As where the keys' service is gone: nothing can be encoded any more. */
class Silent extends PassesThrough {
  silent = false;

  override encode(payloads: Payload[]): Promise<Payload[]> {
    return this.silent ? new Promise(() => undefined) : super.encode(payloads);
  }
}

test('one that encodes nothing at all, not even a failure, ends with it too', async () => {
  const codec = new Silent();
  await using env = await startEnvironment({ dataConverter: { payloadCodecs: [codec] } });
  const handle = await env.patient.submit.get(env.target.url('/hold'), { deadline: '3s' });
  await env.target.waitFor(({ held }) => held === 1);
  codec.silent = true;
  env.target.release();
  await waitFor(() => env.worker.processor.total === 0, { timeout: 20_000 });
  codec.silent = false;
  const failure = await rejection(handle.result());
  expect(failure).toMatchObject({ type: 'UnknownError', nonRetryable: true });
  expect(failure.message).toContain('could not be encoded; the worker log says why');
});

test('and one call of it with a minute', async () => {
  vi.useFakeTimers();
  try {
    const late = bounded(new Hangs()).encode([{ data: Buffer.alloc(20_000) }]);
    const [said] = await Promise.all([rejection(late), vi.advanceTimersByTimeAsync(60_000)]);
    expect(said).toBeInstanceOf(PayloadError);
    expect(said.message).toBe('payloadCodecs: Hangs has not answered in 60000 ms');
  } finally {
    vi.useRealTimers();
  }
});
