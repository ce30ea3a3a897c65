import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  runInline,
  startTargetServer,
  type RunInlineOptions,
  type TargetServer,
} from '../../src/testing/index.ts';
import type { Json } from '../../src/shared/wire.ts';
import {
  defineCallback,
  requestError,
  type CallbackArgument,
  type RequestSpec,
} from '../../workflows/index.ts';

let target: TargetServer;

beforeAll(async () => {
  target = await startTargetServer();
});
afterAll(() => target?.close());

const QUICK = { initialInterval: 1, maximumInterval: 1 };

async function failureOf(spec: string | RequestSpec, options?: RunInlineOptions) {
  const failure: unknown = await runInline(spec, options).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ApplicationFailure);
  return failure as ApplicationFailure;
}

/** Keeps what it was called with, under any name that a spec asks for. */
function recorder(name = 'recorded') {
  const received: CallbackArgument[] = [];
  return {
    received,
    callbacks: { [name]: (argument: CallbackArgument) => received.push(argument) },
  };
}

test('the example of its documentation', async () => {
  const prices: unknown[] = [];
  const orderPriced = defineCallback({
    onComplete: (response, { callbackArgs }) => prices.push([callbackArgs, response.json()]),
    onError: (error) => prices.push(error),
  });
  const response = await runInline(
    { url: 'https://api.example.com/price', callback: 'orderPriced', callbackArgs: { order: 17 } },
    { respond: () => ({ json: { price: 12 } }), callbacks: { orderPriced } },
  );
  expect(response.json()).toEqual({ price: 12 });
  expect(prices).toEqual([[{ order: 17 }, { price: 12 }]]);
});

test('really sends, and gives the response of a worker', async () => {
  const spec = { url: target.url('/redirect/1'), params: { q: 1 }, requestId: 'real' };
  const response = await runInline(spec);
  expect(response).toMatchObject({
    status: 200,
    method: 'GET',
    requestId: 'real',
    attempt: 1,
    redirects: [target.url('/redirect/1?q=1')],
    callbackArgs: null,
  });
  expect(response.ok).toBe(true);
  expect(target.hits.at(-1)?.headers['x-request-id']).toBe('real');
});

test('the callback has run when it returns, with the argument of a callback workflow', async () => {
  const { received, callbacks } = recorder();
  const spec: RequestSpec = {
    url: target.url('/status/404'),
    callback: { workflow: 'recorded', taskQueue: 'anywhere' },
    callbackArgs: { order: [17] },
    result: 'none',
  };
  const response = await runInline(spec, { callbacks });
  expect(received).toEqual([
    {
      requestId: response.requestId,
      outcome: 'response',
      response: JSON.parse(JSON.stringify(response)),
      callbackArgs: { order: [17] },
      request: { workflowId: expect.any(String), runId: expect.any(String) },
    },
  ]);
  const [{ requestId, request } = { requestId: '', request: {} }] = received;
  expect(requestId).toBe(Object.values(request).join('/'));
});

test('an error goes to the callback, and is thrown', async () => {
  const { received, callbacks } = recorder();
  const spec: RequestSpec = {
    url: target.url('/status/503?secret=1'),
    method: 'POST',
    raiseErrorResponses: true,
    callback: { signal: 'recorded', workflowId: 'receiver' },
    callbackArgs: 'mine',
  };
  const failure = await failureOf(spec, { callbacks });
  expect(failure).toMatchObject({ type: 'HttpStatusError', nonRetryable: true });
  expect(received).toMatchObject([
    {
      outcome: 'error',
      error: {
        type: 'HttpStatusError',
        errorType: 'http_error',
        url: target.url('/status/503'),
        response: { status: 503 },
      },
      callbackArgs: 'mine',
    },
  ]);
  expect(received[0]?.error).toEqual(requestError(failure));
});

test('an exception of onComplete comes out and does not call onError', async () => {
  const called: string[] = [];
  const broken = defineCallback({
    onComplete() {
      called.push('onComplete');
      throw new Error('broken callback');
    },
    onError: () => called.push('onError'),
  });
  await expect(
    runInline({ url: target.url('/echo'), callback: 'broken' }, { callbacks: { broken } }),
  ).rejects.toThrow('broken callback');
  expect(called).toEqual(['onComplete']);
});

test('a callback can run requests inline, with callbacks of their own', async () => {
  const order: string[] = [];
  const callbacks = {
    async outer({ response }: CallbackArgument) {
      const url = target.url(`/status/${response?.status === 201 ? 202 : 500}`);
      const inner = await runInline({ url, callback: 'inner' }, { callbacks });
      order.push(`outer after ${inner.status}`);
    },
    inner: ({ response }: CallbackArgument) => void order.push(`inner ${response?.status}`),
  };
  await runInline({ url: target.url('/status/201'), callback: 'outer' }, { callbacks });
  expect(order).toEqual(['inner 202', 'outer after 202']);
});

test('a redirect error calls the callback once', async () => {
  const { received, callbacks } = recorder();
  const spec = { url: target.url('/redirect/3'), maxRedirects: 1, callback: 'recorded' };
  const failure = await failureOf(spec, { callbacks });
  expect(failure.type).toBe('TooManyRedirectsError');
  expect(received.map(({ outcome, error }) => [outcome, error?.errorType])).toEqual([
    ['error', 'redirect'],
  ]);
});

test('the options given are used, and the spec wins over them', async () => {
  const url = target.url('/status/404');
  const options = { raiseErrorResponses: true, userAgent: 'my-tests' };
  expect(await failureOf(url, options)).toMatchObject({ type: 'HttpStatusError' });
  expect(target.hits.at(-1)?.headers['user-agent']).toBe('my-tests');
  const response = await runInline({ url, raiseErrorResponses: false }, options);
  expect(response.status).toBe(404);
  const refused = await failureOf(url, { allowPrivateAddresses: false });
  expect(refused.type).toBe('BlockedAddressError');
  await expect(runInline(url, { maxConnections: 0 })).rejects.toThrow('maxConnections');
});

test('retries by the policy of the spec, waiting between tries', async () => {
  const url = target.url('/flaky/inline/2/503');
  const started = performance.now();
  const retry = { initialInterval: 100, maximumInterval: 100 };
  const response = await runInline({ url, retry });
  expect(performance.now() - started).toBeGreaterThan(150);
  expect(response).toMatchObject({ status: 200, attempt: 3 });
  expect(target.count('/flaky/inline/2/503')).toBe(3);
  const once = await runInline({
    url: target.url('/flaky/once/2/503'),
    retry: { maximumAttempts: 1 },
  });
  expect(once).toMatchObject({ status: 503, attempt: 1 });
});

test('waits out Retry-After, unless told to skip delays', async () => {
  const flaky = (key: string) => target.url(`/flaky/${key}/1/429?retryAfter=0.3`);
  const waited = await timed(() => runInline(flaky('waited')));
  expect(waited).toBeGreaterThan(250);
  const url = target.url('/flaky/skipped/2/503?retryAfter=600');
  const skipped = await timed(() => runInline(url, { retryDelays: false }));
  expect(skipped).toBeLessThan(60_000);
});

test('never sends a POST again that may have arrived', async () => {
  const failure = await failureOf({ url: target.url('/reset'), method: 'POST', retry: QUICK });
  expect(failure).toMatchObject({ type: 'ConnectionError', details: [{ phase: 'sent' }] });
  expect(target.count('/reset')).toBe(1);
});

test('refuses a wrong spec as a worker does, also to its callback', async () => {
  const { received, callbacks } = recorder();
  const spec = { url: 'ftp://host', timeout: -1, callback: 'recorded', requestId: 'wrong' };
  const failure = await failureOf(spec, { callbacks });
  expect(failure.type).toBe('InvalidRequestError');
  expect(failure.message).toMatch(/url.*timeout|timeout.*url/s);
  expect(received).toMatchObject([
    { requestId: 'wrong', error: { type: 'InvalidRequestError', requestId: 'wrong' } },
  ]);

  const callbackArgs = 'x'.repeat(3 * 1024 * 1024);
  const huge = await failureOf({ ...spec, url: target.url('/echo'), callbackArgs }, { callbacks });
  expect(huge.message).toMatch(/bytes of JSON/);
  expect(received[1]).toMatchObject({ callbackArgs: null, error: { type: 'InvalidRequestError' } });

  const deep = JSON.parse('['.repeat(2000) + ']'.repeat(2000)) as Json;
  const nested = await failureOf(
    { url: spec.url, callback: 'recorded', callbackArgs: deep },
    { callbacks },
  );
  expect(nested.type).toBe('InvalidRequestError');
  expect(received[2]).toMatchObject({ callbackArgs: null });

  const wrong = [null, 5, [], {}, { url: target.url(), callback: 5 }, { url: 'http://h', nope: 1 }];
  for (const each of wrong) {
    expect(await failureOf(each as unknown as RequestSpec, { callbacks })).toMatchObject({
      type: 'InvalidRequestError',
    });
  }
  await expect(
    runInline({ url: target.url('/echo'), callback: 'unknown' }, { callbacks }),
  ).rejects.toThrow("the spec's callback unknown is not among the given callbacks");
});

test('what cannot be JSON arrives as Temporal would write it', async () => {
  const sent = { at: new Date(0), nothing: undefined };
  const response = await runInline({ url: target.url('/echo'), method: 'POST', json: sent });
  expect(response.json<{ body: string }>().body).toBe('{"at":"1970-01-01T00:00:00.000Z"}');
});

test('a response too large for Temporal is an error here too', async () => {
  const respond = () => ({ body: 'x'.repeat(2 * 1024 * 1024) });
  const failure = await failureOf('http://api.test', { respond });
  expect(failure.type).toBe('ResponseTooLargeError');
});

test('is cancelled by a signal: before, on the wire and between two tries', async () => {
  const { received, callbacks } = recorder();
  const cancelled = async (spec: RequestSpec, signal: AbortSignal) => {
    const run = runInline({ ...spec, callback: 'recorded' }, { callbacks, signal });
    await expect(run).rejects.toBeInstanceOf(CancelledFailure);
  };
  await cancelled({ url: target.url('/never-asked') }, AbortSignal.abort());
  expect(target.count('/never-asked')).toBe(0);

  const onTheWire = new AbortController();
  const holding = cancelled({ url: target.url('/hold'), method: 'POST' }, onTheWire.signal);
  await target.waitFor(({ hits }) => hits.some(({ path }) => path === '/hold'));
  onTheWire.abort();
  await holding;
  await target.waitFor(({ hits }) => hits.some(({ path, aborted }) => path === '/hold' && aborted));

  const between = new AbortController();
  const url = target.url('/flaky/cancelled/5/503?retryAfter=600');
  const waiting = cancelled({ url }, between.signal);
  await target.waitFor(({ hits }) => hits.some((hit) => url.endsWith(hit.path) && hit.closed));
  setTimeout(() => between.abort(), 500);
  await waiting;
  expect(received.map(({ error }) => [error?.type, error?.phase, error?.attempt])).toEqual([
    ['CancelledError', 'queued', 1],
    ['CancelledError', 'sent', 1],
    ['CancelledError', 'queued', 2],
  ]);
});

test('a deadline ends all tries', async () => {
  const failure = await failureOf({ url: target.url('/hold'), deadline: 1_000 });
  expect(failure).toMatchObject({ type: 'TimeoutError', details: [{ phase: 'sent' }] });
});

async function timed(action: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await action();
  return performance.now() - started;
}
