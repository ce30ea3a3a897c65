import { expect, test } from 'vitest';
import {
  runInline,
  type RunInlineOptions,
  type TestError,
  type TestRequest,
} from '../../src/testing/index.ts';
import { requestError } from '../../workflows/index.ts';

type Respond = NonNullable<RunInlineOptions['respond']>;

const run = (respond: Respond, options = {}) =>
  runInline({ url: 'https://api.test/a', ...options }, { respond, retryDelays: false });

const errorOf = async (respond: Respond, options = {}) =>
  requestError(await run(respond, options).catch((error: unknown) => error));

test('is asked with the request as it would go out', async () => {
  const asked: TestRequest[] = [];
  await run(
    (request) => {
      asked.push(request);
      return {};
    },
    {
      method: 'POST',
      params: { q: ['1', '2'] },
      headers: { 'X-Mine': 'yes' },
      json: { a: 1 },
      idempotencyKey: true,
      requestId: 'asked',
      callbackArgs: [1],
    },
  );
  expect(asked).toMatchObject([
    {
      method: 'POST',
      url: 'https://api.test/a?q=1&q=2',
      headers: {
        'x-mine': 'yes',
        'x-request-id': 'asked',
        'idempotency-key': 'asked',
        'content-type': 'application/json',
      },
      body: '{"a":1}',
      requestId: 'asked',
      callbackArgs: [1],
    },
  ]);
});

test('fills in what an answer leaves out', async () => {
  expect(await run(() => ({}))).toMatchObject({
    status: 200,
    headers: {},
    body: '',
    bodyEncoding: 'utf8',
    url: 'https://api.test/a',
    redirects: [],
  });
  const given = await run(async () => ({
    status: 201,
    headers: { 'X-A': ['1', '2'] },
    json: null,
    url: 'https://api.test/b',
    redirects: ['https://api.test/a'],
  }));
  expect(given).toMatchObject({
    status: 201,
    headers: { 'content-type': 'application/json', 'x-a': ['1', '2'] },
    body: 'null',
    url: 'https://api.test/b',
    redirects: ['https://api.test/a'],
  });
  expect((await run(() => ({ body: 'x' }), { method: 'HEAD' })).body).toBeNull();
  const binary = await run(() => ({ body: '/w==', bodyEncoding: 'base64' }));
  expect([...binary.bytes()]).toEqual([255]);
});

test('statuses and errors are tried again as real ones are', async () => {
  const answers: ReturnType<Respond>[] = [
    { status: 503 },
    { error: 'TimeoutError' },
    { json: 'third' },
  ];
  const response = await run(() => answers.shift()!);
  expect(response).toMatchObject({ status: 200, attempt: 3 });

  let tries = 0;
  const failing = (phase?: 'connect') => (): TestError => {
    tries++;
    return { error: 'ConnectionError', message: 'gone', ...(phase && { phase }) };
  };
  expect(await errorOf(failing(), { method: 'POST' })).toMatchObject({
    type: 'ConnectionError',
    message: 'gone',
    phase: 'sent',
    attempt: 1,
  });
  const unsent = await errorOf(failing('connect'), { method: 'POST' });
  expect(unsent).toMatchObject({ phase: 'connect', attempt: 3 });
  expect(await errorOf(() => ({ error: 'TlsError' }))).toMatchObject({ attempt: 1 });
  expect(tries).toBe(4);
});

test('what it throws is an UnknownError', async () => {
  const respond = () => {
    throw new Error('a mistake in the test');
  };
  expect(await errorOf(respond)).toMatchObject({
    type: 'UnknownError',
    message: 'a mistake in the test',
    attempt: 1,
  });
});

test('an answer that never comes ends with the deadline', async () => {
  const never = () => new Promise<never>(() => {});
  expect(await errorOf(never, { deadline: 50 })).toMatchObject({ type: 'TimeoutError' });
});

test('sees a secret by its name', async () => {
  const asked: TestRequest[] = [];
  await run(
    (request) => {
      asked.push(request);
      return {};
    },
    {
      params: { q: 1, key: { $secret: 'KEY' } },
      headers: { Authorization: { $secret: 'KEY', prefix: 'Bearer ' } },
    },
  );
  expect(asked).toMatchObject([
    { url: 'https://api.test/a?q=1', headers: { authorization: 'Bearer [secret KEY]' } },
  ]);
});

test.each([
  [{ secrets: 'KEY' }, 'secrets: expected a function, got a string of 3 characters'],
  [{ preprocessors: { sign: 'hmac' } }, 'preprocessors.sign: expected a function, got a string of'],
])('functions that are none: %o', async (options, message) => {
  await expect(runInline('https://api.test/a', options as object)).rejects.toThrow(message);
});
