import { setTimeout } from 'node:timers/promises';
import zlib from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { resolveOptions } from '../../src/config/options.ts';
import { resolveRequest } from '../../src/config/request-spec.ts';
import type { ResolvedRequest } from '../../src/shared/resolved-request.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { Sender } from './support.ts';

let target: TargetServer;
let sender: Sender;

beforeAll(async () => {
  target = await startTargetServer();
  sender = new Sender({ userAgent: 'patient/1' });
});
afterAll(async () => {
  await sender[Symbol.asyncDispose]();
  await target.close();
});

interface Echo {
  method: string;
  url: string;
  headers: Record<string, string[]>;
  body: string;
  bodyBase64: string;
}

async function echo(request: Partial<ResolvedRequest>): Promise<Echo> {
  const response = await sender.send({ url: target.url('/echo'), ...request });
  return JSON.parse(response.body!) as Echo;
}

describe('query', () => {
  test.each<[string, ResolvedRequest['params'], string]>([
    ['/echo', { a: 1, b: true, c: 'x y&z' }, '/echo?a=1&b=true&c=x+y%26z'],
    ['/echo?q=1', { a: 'b' }, '/echo?q=1&a=b'],
    ['/echo?', { a: 'b' }, '/echo?a=b'],
    ['/echo', { a: [1, null, 'x'] }, '/echo?a=1&a&a=x'],
    ['/echo', { 'ä ö': 'ü+/?', flag: null }, '/echo?%C3%A4+%C3%B6=%C3%BC%2B%2F%3F&flag'],
    ['/echo', { a: '\ud800' }, '/echo?a=%EF%BF%BD'],
    ['/echo?a=%7e+b', {}, '/echo?a=%7e+b'],
    ['/echo', { none: [] }, '/echo'],
  ])('%s with %o is %s', async (path, params, expected) => {
    expect((await echo({ url: target.url(path), params })).url).toBe(expected);
  });
});

describe('headers', () => {
  test('of its own, without a word from the user', async () => {
    const { headers } = await echo({ requestId: 'wf/run' });
    expect(headers).toEqual({
      host: [`127.0.0.1:${target.port}`],
      connection: ['keep-alive'],
      'x-request-id': ['wf/run'],
      'user-agent': ['patient/1'],
      'accept-encoding': [
        'zstdDecompress' in zlib ? 'gzip, deflate, br, zstd' : 'gzip, deflate, br',
      ],
    });
  });

  test("the user's win, except for the request id", async () => {
    const { headers, body } = await echo({
      method: 'POST',
      requestId: 'ours',
      headers: {
        'x-request-id': 'theirs',
        'user-agent': 'me',
        'accept-encoding': 'identity',
        'content-type': 'application/vnd.api+json',
      },
      body: { kind: 'json', value: {} },
    });
    expect(headers).toMatchObject({
      'x-request-id': ['ours'],
      'user-agent': ['me'],
      'accept-encoding': ['identity'],
      'content-type': ['application/vnd.api+json'],
      'content-length': ['2'],
    });
    expect(body).toBe('{}');
  });

  test('an array is sent as repeated headers', async () => {
    expect((await echo({ headers: { 'x-many': ['a', 'b'] } })).headers['x-many']).toEqual([
      'a',
      'b',
    ]);
  });

  test('the idempotency key replaces what the user set', async () => {
    const { headers } = await echo({
      method: 'POST',
      headers: { 'idempotency-key': 'old' },
      idempotencyKey: 'key-1',
    });
    expect(headers['idempotency-key']).toEqual(['key-1']);
  });

  test('ids that no header can carry are percent-encoded', async () => {
    const { headers } = await echo({ requestId: 'Bestellung ü\n中/1 \ud800' });
    expect(headers['x-request-id']).toEqual(['Bestellung%20%C3%BC%0A%E4%B8%AD/1%20%EF%BF%BD']);
  });

  test('idempotencyKey: true sends what x-request-id says', async () => {
    const spec = { url: target.url('/echo'), method: 'POST', idempotencyKey: true };
    const context = { requestId: 'zwei Wörter 中', defaults: resolveOptions({}) };
    const request = resolveRequest(spec, context);
    const { headers } = await echo(request);
    expect(headers['x-request-id']).toEqual(['zwei%20W%C3%B6rter%20%E4%B8%AD']);
    expect(headers['idempotency-key']).toEqual(headers['x-request-id']);
  });
});

describe('body', () => {
  test.each<[string, ResolvedRequest['body'], string | undefined, string]>([
    ['text', { kind: 'text', value: 'grüß' }, 'text/plain; charset=utf-8', 'grüß'],
    ['json', { kind: 'json', value: { a: [1, 'ü'] } }, 'application/json', '{"a":[1,"ü"]}'],
    ['json null', { kind: 'json', value: null }, 'application/json', 'null'],
    ['json false', { kind: 'json', value: false }, 'application/json', 'false'],
    [
      'form',
      { kind: 'form', value: { a: ['1', '2'], 'b c': 'd&ü', e: null } },
      'application/x-www-form-urlencoded',
      'a=1&a=2&b+c=d%26%C3%BC&e',
    ],
    ['empty text', { kind: 'text', value: '' }, 'text/plain; charset=utf-8', ''],
    ['base64', { kind: 'base64', value: Buffer.from('raw').toString('base64') }, undefined, 'raw'],
  ])('%s', async (_name, body, contentType, expected) => {
    const seen = await echo({ method: 'PUT', body });
    expect(seen.body).toBe(expected);
    expect(seen.headers['content-type']).toEqual(contentType && [contentType]);
    expect(seen.headers['content-length']).toEqual([String(Buffer.byteLength(expected))]);
    expect(seen.headers['transfer-encoding']).toBeUndefined();
  });

  test('binary arrives as it is', async () => {
    const bytes = Buffer.from([0, 255, 254, 128, 10, 13]).toString('base64');
    const seen = await echo({ method: 'PATCH', body: { kind: 'base64', value: bytes } });
    expect(seen.bodyBase64).toBe(bytes);
  });

  test('a large one arrives whole', async () => {
    const value = 'x'.repeat(5_000_000);
    const seen = await echo({
      method: 'POST',
      body: { kind: 'text', value },
      maxResponseSize: 20_000_000,
    });
    expect(seen.body).toBe(value);
  });

  test('none: content-length 0 where one is expected, no header where not', async () => {
    for (const method of ['POST', 'PUT', 'PATCH'] as const) {
      expect((await echo({ method })).headers['content-length']).toEqual(['0']);
    }
    for (const method of ['GET', 'DELETE'] as const) {
      expect((await echo({ method })).headers['content-length']).toBeUndefined();
    }
  });

  test('on DELETE', async () => {
    const seen = await echo({ method: 'DELETE', body: { kind: 'text', value: 'which' } });
    expect(seen).toMatchObject({ method: 'DELETE', body: 'which' });
  });
});

describe('refused before anything is sent', () => {
  test.each<[string, Partial<ResolvedRequest>, string]>([
    ['a header name', { headers: { 'bad name': 'hidden' } }, 'invalid header key'],
    ['a header value', { headers: { 'x-token': 'hidden\nx: y' } }, 'invalid x-token header'],
    ['transfer-encoding', { headers: { 'transfer-encoding': 'chunked' } }, 'transfer-encoding'],
    ['expect', { headers: { expect: '100-continue' } }, 'expect header not supported'],
  ])('%s', async (_name, request, message) => {
    const before = target.total;
    const error = await sender.fail({ url: target.url('/echo?key=hidden'), ...request });
    expect(error).toMatchObject({
      type: 'InvalidRequestError',
      phase: 'prepare',
      transient: false,
      message: expect.stringContaining(message),
    });
    expect(error.message).not.toContain('hidden');
    expect(target.total).toBe(before);
  });
});

test('a body that cannot be encoded fails the request once, and leaves nothing behind', async () => {
  await using own = new Sender();
  const unhandled = vi.fn<(reason: unknown) => void>();
  process.on('unhandledRejection', unhandled);
  try {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    const body = { kind: 'json', value: circular } as unknown as ResolvedRequest['body'];
    const timers = activeTimers();
    const sent = own.send({
      url: target.url('/echo?key=hidden'),
      method: 'POST',
      timeout: 500,
      body,
    });
    const error = await sent.catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      ...{ type: 'UnknownError', phase: 'connect', transient: false, cause: expect.any(TypeError) },
      message: expect.stringContaining(
        `POST ${target.url('/echo')}: failed (Converting circular structure`,
      ),
    });
    expect(activeTimers()).toBe(timers);
    await setTimeout(600);
    expect(unhandled).not.toHaveBeenCalled();
  } finally {
    process.off('unhandledRejection', unhandled);
  }
});

test('so does one behind a redirect', async () => {
  await using own = new Sender();
  let asked = 0;
  const body = {
    kind: 'json',
    value: {
      toJSON: () => {
        if (asked++ > 0) throw new Error('only once');
        return {};
      },
    },
  } as unknown as ResolvedRequest['body'];
  const url = target.url(`/redirect-to?status=307&url=${encodeURIComponent('/echo')}`);
  const error = await own.fail({ url, method: 'POST', body });
  expect(error).toMatchObject({ type: 'UnknownError', phase: 'sent' });
  expect(asked).toBe(2);
});

function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}
