import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Preprocessor, Preprocessors } from '../../src/http/preprocessors.ts';
import type { ResolvedRequest } from '../../src/shared/resolved-request.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { POST, Sender } from './support.ts';

const KEY = 'sk_live/q7+R&"9=z';

let target: TargetServer;

beforeAll(async () => {
  target = await startTargetServer();
});
afterAll(() => target.close());

function senderWith(preprocessors: Preprocessors): Sender {
  const sender = new Sender({
    preprocessors,
    secrets: (name) => (name === 'KEY' ? KEY : undefined),
  });
  onTestFinished(() => sender[Symbol.asyncDispose]());
  return sender;
}

const json = { kind: 'json', value: { a: 1 } } as const;

/** What the server got of a request with these preprocessors, in this order. */
async function sent(preprocessors: Preprocessors, request: Partial<ResolvedRequest> = {}) {
  const before = target.hits.length;
  await senderWith(preprocessors).send({
    ...{ url: target.url('/status/200?q=1'), method: 'POST', body: json },
    preprocessors: Object.keys(preprocessors),
    ...request,
  });
  expect(target.hits.length).toBe(before + 1);
  return target.hits[before]!;
}

async function failed(preprocessor: Preprocessor, request: Partial<ResolvedRequest> = {}) {
  const before = target.total;
  const error = await senderWith({ it: preprocessor }).fail({
    ...{ url: target.url('/echo?q=1'), ...POST, body: json, preprocessors: ['it'] },
    ...request,
  });
  expect(target.total).toBe(before);
  return error;
}

test('a preprocessor sees the request as it goes out, secrets in place', async () => {
  let seen: Parameters<Preprocessor>[0] | undefined;
  const hit = await sent(
    { look: (request) => void (seen = request) },
    {
      headers: { 'x-a': ['1', '2'] },
      params: { p: 'ä' },
      secrets: {
        headers: { authorization: { $secret: 'KEY', prefix: 'Bearer ' } },
        params: { key: { $secret: 'KEY' } },
      },
      idempotencyKey: 'once',
    },
  );
  expect(seen).toMatchObject({ method: 'POST', url: target.origin + hit.path });
  expect(seen!.headers).toEqual({
    'x-a': ['1', '2'],
    authorization: `Bearer ${KEY}`,
    'x-request-id': 'request-1',
    'idempotency-key': 'once',
    'user-agent': 'patient-http/test',
    'accept-encoding': expect.any(String),
    'content-type': 'application/json',
  });
  expect(Buffer.from(seen!.body).toString()).toBe(hit.body);
});

test('they run in order, and each sees what those before it changed', async () => {
  const seen: unknown[] = [];
  const look: Preprocessor = ({ url, headers, body }) => {
    const { search } = new URL(url);
    seen.push([search, headers['x-step'], headers['x-gone'], Buffer.from(body).toString()]);
  };
  const before = target.hits.length;
  await senderWith({
    look,
    first: () => ({ headers: { 'X-Step': '1', 'x-gone': undefined }, params: { s: 1 } }),
    second: async () => ({ headers: { 'x-step': ['1', '2'] }, body: 'ü' }),
    third: () => ({ body: new Uint8Array([1, 2]), params: { s: [2, 'a b'], bare: null } }),
  }).send({
    ...{ url: target.url('/status/200?q=1'), method: 'PUT', body: json },
    headers: { 'x-gone': 'yes' },
    preprocessors: ['look', 'first', 'look', 'second', 'look', 'third', 'look'],
  });
  expect(seen).toEqual([
    ['?q=1', undefined, 'yes', '{"a":1}'],
    ['?q=1&s=1', '1', undefined, '{"a":1}'],
    ['?q=1&s=1', ['1', '2'], undefined, 'ü'],
    ['?q=1&s=1&s=2&s=a+b&bare', ['1', '2'], undefined, '\u0001\u0002'],
  ]);
  const hit = target.hits[before]!;
  expect(hit.path).toBe('/status/200?q=1&s=1&s=2&s=a+b&bare');
  expect(hit.body).toBe('\u0001\u0002');
  expect(hit.headers).toMatchObject({ 'content-length': '2', 'x-step': '1, 2' });
});

test('a body can be added where there was none, and none is bytes of length 0', async () => {
  const hit = await sent(
    { add: ({ body }) => ({ body: `${body.length}`, headers: { 'content-type': 'text/x' } }) },
    { body: undefined },
  );
  expect(hit.body).toBe('0');
  expect(hit.headers['content-type']).toBe('text/x');
});

test('the response shows the URL without what they added', async () => {
  const response = await senderWith({ add: () => ({ params: { sig: 'abc' } }) }).get(
    target.url('/status/200?q=1'),
    { preprocessors: ['add'] },
  );
  expect(response.url).toBe(target.url('/status/200?q=1'));
});

test('a secret that one asks for is taken out of the echo', async () => {
  const response = await senderWith({
    sign: async (_request, { secret }) => ({ headers: { 'x-key': await secret('KEY') } }),
  }).get(target.url('/echo'), { preprocessors: ['sign'] });
  expect(JSON.parse(response.body!)).toMatchObject({ headers: { 'x-key': ['[secret KEY]'] } });
});

test('each try runs them anew', async () => {
  let runs = 0;
  const sender = senderWith({ count: () => ({ headers: { 'x-run': String(++runs) } }) });
  const before = target.hits.length;
  for (let i = 0; i < 2; i++) {
    await sender.get(target.url('/status/200'), { preprocessors: ['count'] });
  }
  expect(target.hits.slice(before).map(({ headers }) => headers['x-run'])).toEqual(['1', '2']);
});

test('a multipart body has its boundary in what is signed and sent', async () => {
  const hash = (body: Uint8Array | string) => createHash('sha256').update(body).digest('hex');
  const hit = await sent(
    { digest: ({ body }) => ({ headers: { 'x-digest': hash(body) } }) },
    { body: { kind: 'multipart', value: [{ name: 'a', value: 'b' }] } },
  );
  expect(hit.headers['x-digest']).toBe(hash(hit.body));
});

describe('errors', () => {
  test('a name that is not registered', async () => {
    const before = target.total;
    for (const name of ['nobody', 'toString']) {
      const error = await senderWith({}).fail({
        url: target.url('/echo'),
        preprocessors: [name],
        secrets: { headers: { a: { $secret: 'ABSENT' } }, params: {} },
      });
      expect(error).toMatchObject({
        type: 'PreprocessorError',
        phase: 'prepare',
        transient: false,
      });
      expect(error.message).toContain(`preprocessor ${name} is not known to the worker`);
    }
    expect(target.total).toBe(before);
  });

  test('one that throws: its cause is kept, and the next try may do better', async () => {
    const cause = new RangeError('clock is away');
    const error = await failed(async () => {
      throw cause;
    });
    expect(error).toMatchObject({ type: 'PreprocessorError', phase: 'prepare', transient: true });
    expect(error.message).toBe(`POST ${target.url('/echo')}: preprocessor it: clock is away`);
    expect(error.cause).toBe(cause);
    expect((await failed(() => Promise.reject(new Error('no')))).message).toContain('it: no');
  });

  test('no secret is in one', async () => {
    const error = await failed(async (_request, { secret }) => {
      const key = await secret('KEY');
      throw new Error(`bad ${key}`, { cause: Object.assign(new Error(key), { key, code: 'E1' }) });
    });
    expect(error.message).toContain('preprocessor it: bad [secret KEY]');
    const { cause } = error as { cause: Error };
    for (const each of [error, cause, cause.cause] as Error[]) {
      expect(`${each.message} ${each.stack} ${JSON.stringify(each)}`).not.toContain(KEY);
    }
    expect(cause.cause).toMatchObject({ message: '[secret KEY]', code: 'E1' });
  });

  test('a secret that it needs is not known', async () => {
    const error = await failed(async (_request, { secret }) => void (await secret('ABSENT')));
    expect(error).toMatchObject({ type: 'SecretNotFoundError', transient: false });
  });

  test('one that hangs meets the timeout of the try', async () => {
    const error = await failed(() => new Promise(() => {}), { timeout: 50 });
    expect(error).toMatchObject({ type: 'TimeoutError', phase: 'prepare', transient: true });
  });

  test.each([
    [{ headers: { 'x\r\ny': '1' } }, 'expected header names'],
    [{ headers: { a: 'b\r\nc: d' } }, 'header a: expected characters that a header can hold'],
    [{ headers: { a: ['b', '☃'] } }, 'header a: expected characters'],
    [{ headers: { a: 5 as unknown as string } }, 'header a: expected characters'],
    [{ headers: { Host: 'a.test' } }, 'header host is set by the transport'],
    [{ headers: { 'content-length': '1' } }, 'header content-length is set by the transport'],
    [{ body: 5 as unknown as string }, 'expected a body of text or bytes'],
  ])('changes that cannot be made: %o', async (changes, message) => {
    const error = await failed(() => changes);
    expect(error).toMatchObject({ type: 'PreprocessorError' });
    expect(error.message).toContain(`preprocessor it: ${message}`);
  });

  test('a body for GET', async () => {
    const error = await failed(() => ({ body: 'x' }), { method: 'GET', body: undefined });
    expect(error.message).toContain('preprocessor it: expected no body with GET');
  });
});
