import { describe, expect, test } from 'vitest';
import { toResponse, type WireResponse } from '../../src/index.ts';
import { crashCount, isNewer, type Attempt } from '../../src/shared/attempt.ts';
import { decodeBase64 } from '../../src/shared/base64.ts';
import { checkBatch } from '../../src/shared/batch-spec.ts';
import { parseDuration } from '../../src/shared/duration.ts';
import { ERROR_WORDS, isErrorType } from '../../src/shared/errors.ts';
import { workflowTypeFor } from '../../src/shared/methods.ts';
import { headerSafe, isRequestId } from '../../src/shared/request-id.ts';
import { keyString } from '../../src/shared/request-key.ts';
import { isResendable } from '../../src/shared/resend.ts';
import { checkSize, fits } from '../../src/shared/spec-size.ts';
import { cutText, jsonBytes } from '../../src/shared/text.ts';
import { redactUrl } from '../../src/shared/url.ts';

describe('parseDuration', () => {
  test.each<[unknown, number]>([
    [0, 0],
    [1.5, 1.5],
    [250, 250],
    ['250', 250],
    ['250ms', 250],
    ['30s', 30_000],
    ['30 s', 30_000],
    [' 30 sec ', 30_000],
    ['1 second', 1000],
    ['2 seconds', 2000],
    ['1.5m', 90_000],
    ['.5 min', 30_000],
    ['1 minute', 60_000],
    ['2h', 7_200_000],
    ['1 Hour', 3_600_000],
    ['1 hr', 3_600_000],
    ['2 days', 172_800_000],
    ['1w', 604_800_000],
  ])('%j is %i ms', (value, ms) => {
    expect(parseDuration(value)).toBe(ms);
  });

  test.each([
    -1,
    NaN,
    Infinity,
    '',
    ' ',
    's',
    '-5s',
    '5 parsecs',
    '1y',
    '5s 3m',
    '1e3',
    '0x10',
    '5.s',
    '1,5s',
    null,
    undefined,
    true,
    {},
    [5],
    `${'9'.repeat(400)}s`,
    'constructor',
    '1 constructor',
    '1 toString',
  ])('%j is none', (value) => {
    expect(parseDuration(value)).toBeUndefined();
  });
});

test('decodeBase64 reads what Buffer writes', () => {
  for (let length = 0; length < 70; length++) {
    const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 37 + length) % 256));
    expect(decodeBase64(bytes.toString('base64'))).toEqual(new Uint8Array(bytes));
  }
});

describe('a response', () => {
  const wire: WireResponse = {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: '{"grüße":1}',
    bodyEncoding: 'utf8',
    url: 'https://api.test/',
    method: 'GET',
    redirects: [],
    requestId: 'id',
    durationMs: 1,
    attempt: 1,
    callbackArgs: null,
  };

  test('is plain data to JSON and to spread', () => {
    expect(JSON.parse(JSON.stringify(toResponse(wire)))).toStrictEqual(wire);
    expect(Object.keys(toResponse(wire))).toEqual(Object.keys(wire));
  });

  test.each([
    [199, false],
    [200, true],
    [299, true],
    [300, false],
    [404, false],
  ])('%i: ok is %s', (status, ok) => {
    expect(toResponse({ ...wire, status }).ok).toBe(ok);
  });

  test('reads a text body', () => {
    const response = toResponse(wire);
    expect(response.text()).toBe(wire.body);
    expect(response.json()).toEqual({ grüße: 1 });
    expect(response.bytes()).toEqual(new TextEncoder().encode(wire.body!));
  });

  test('reads a binary body', () => {
    const body = Buffer.from(wire.body!).toString('base64');
    const response = toResponse({ ...wire, body, bodyEncoding: 'base64' });
    expect(response.bytes()).toEqual(new TextEncoder().encode(wire.body!));
    expect(response.text()).toBe(wire.body);
    expect(response.json()).toEqual({ grüße: 1 });
  });

  test('reads no body', () => {
    const response = toResponse({ ...wire, body: null });
    expect(response.text()).toBe('');
    expect(response.bytes()).toHaveLength(0);
    expect(() => response.json()).toThrow(SyntaxError);
  });

  test('names the request, not the body, that is not JSON', () => {
    const response = toResponse({ ...wire, body: '<secret>', headers: {} });
    expect(() => response.json()).toThrow(
      new SyntaxError('Body of GET response 200 (no content type) is not JSON'),
    );
  });
});

test.each([
  ['https://user:pass@api.test:8443/a/b?q=1#f', 'https://api.test:8443/a/b'],
  ['http://api.test', 'http://api.test/'],
  ['HTTP://API.test/%7e', 'http://api.test/%7e'],
  ['no url?token=hidden', '(invalid url)'],
  ['', '(invalid url)'],
])('%s is shown as %s', (url, shown) => {
  expect(redactUrl(url)).toBe(shown);
});

test('no two request keys share a string', () => {
  const key = { namespace: 'n', workflowId: 'w', runId: 'r', activityId: 'a' };
  const keys = [
    key,
    { ...key, index: 0 },
    { ...key, index: 1 },
    { ...key, activityId: 'a","0' },
    { ...key, activityId: 'a/0' },
    { ...key, workflowId: 'w/r', runId: 'a', activityId: '' },
    { ...key, workflowId: 'w","r', runId: 'a', activityId: '' },
    { ...key, namespace: 'n/w', workflowId: 'r', runId: 'a', activityId: '' },
  ];
  expect(new Set(keys.map(keyString)).size).toBe(keys.length);
  expect(keyString({ activityId: 'a', runId: 'r', workflowId: 'w', namespace: 'n' })).toBe(
    keyString(key),
  );
});

test('a request id is 1 to 255 visible ASCII characters', () => {
  for (const id of ['a', 'order-17', '~!', 'x'.repeat(255)]) expect(isRequestId(id)).toBe(true);
  for (const id of ['', 'two words', 'é', 'a\n', 'x'.repeat(256), 17, null, undefined, ['a']]) {
    expect(isRequestId(id)).toBe(false);
  }
});

test('a request id becomes a header value', () => {
  expect(headerSafe('order-17/%41')).toBe('order-17/%41');
  expect(headerSafe('two words\n')).toBe('two%20words%0A');
  expect(headerSafe('grüße😀')).toBe('gr%C3%BC%C3%9Fe%F0%9F%98%80');
  expect(headerSafe('\ud800')).toBe('%EF%BF%BD');
});

describe('attempts', () => {
  const attempt = (number: number, scheduledAt = 0): Attempt => ({
    ...{ number, scheduledAt, token: new Uint8Array() },
  });

  test('the newer one was scheduled later, or is the next of those at once', () => {
    expect(isNewer(attempt(2), attempt(1))).toBe(true);
    expect(isNewer(attempt(1), attempt(1))).toBe(false);
    expect(isNewer(attempt(1), attempt(2))).toBe(false);
    // A reset starts numbers again.
    expect(isNewer(attempt(1, 5), attempt(7, 4))).toBe(true);
    expect(isNewer(attempt(7, 4), attempt(1, 5))).toBe(false);
  });

  test('those that nobody saw end are crashes', () => {
    const progress = { sent: false, tries: 2, returns: 1 };
    expect(crashCount(attempt(4), progress)).toBe(0);
    expect(crashCount(attempt(6), progress)).toBe(2);
    expect(crashCount(attempt(1), progress)).toBe(0);
  });
});

test('what may be re-sent', () => {
  const resendable = (method: 'GET' | 'HEAD' | 'PUT' | 'DELETE' | 'POST' | 'PATCH') =>
    isResendable({ method, resend: 'auto', hasIdempotencyKey: false });
  expect((['GET', 'HEAD', 'PUT', 'DELETE'] as const).every(resendable)).toBe(true);
  expect((['POST', 'PATCH'] as const).some(resendable)).toBe(false);
  const post = { method: 'POST', resend: 'auto', hasIdempotencyKey: true } as const;
  expect(isResendable(post)).toBe(true);
  expect(isResendable({ ...post, hasIdempotencyKey: false, resend: 'always' })).toBe(true);
  expect(isResendable({ ...post, resend: 'never' })).toBe(false);
  expect(isResendable({ ...post, method: 'GET', resend: 'never' })).toBe(false);
});

test('workflow types of methods', () => {
  expect(workflowTypeFor()).toBe('patientGet');
  expect(workflowTypeFor('delete')).toBe('patientDelete');
  expect(workflowTypeFor('BREW')).toBe('patientRequest');
});

test('error types are those of the contract', () => {
  for (const type of Object.keys(ERROR_WORDS)) expect(isErrorType(type)).toBe(true);
  for (const type of ['Error', 'toString', 'constructor', '', undefined]) {
    expect(isErrorType(type)).toBe(false);
  }
});

describe('cutText', () => {
  test.each([
    ['short', 5, 'short'],
    ['longer', 5, 'lo…'],
    ['éé', 4, 'éé'],
    ['ééé', 5, 'é…'],
    ['"""', 6, '"""'],
    ['""""', 7, '""…'],
    ['😀😀', 8, '😀😀'],
    ['😀😀', 7, '😀…'],
    ['😀😀', 6, '…'],
  ])('%s in %i bytes is %s', (text, bytes, expected) => {
    expect(cutText(text, bytes)).toBe(expected);
  });

  test('takes the room it is given, and no more', () => {
    for (const text of ['a', 'é', '漢', '😀', '\u0001', '\ud800', '"']) {
      for (let bytes = 10; bytes < 60; bytes++) {
        const size = jsonBytes(cutText(text.repeat(100), bytes)) - 2;
        expect(size).toBeLessThanOrEqual(bytes);
        expect(size).toBeGreaterThan(bytes - 6);
      }
    }
  });
});

test('fits only what can be handed on', () => {
  const nested = (levels: number): unknown =>
    JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;
  for (const value of [undefined, null, { a: [1] }, nested(100)]) expect(fits(value)).toBe(true);
  const circular: { self?: unknown } = {};
  circular.self = circular;
  for (const value of [nested(101), nested(5000), circular, 5n, 'x'.repeat(3e6)]) {
    expect(fits(value)).toBe(false);
  }
});

test("a batch's defaults, which go along with every chunk, have a limit of their own", () => {
  const batch = (bytes: number) => ({ requests: [], defaults: { body: 'x'.repeat(bytes - 11) } });
  expect(() => checkBatch(batch(524_288))).not.toThrow();
  expect(() => checkBatch(batch(524_289))).toThrow(
    'defaults: expected at most 524288 bytes of JSON, got 524289',
  );
});

test('checkSize refuses what Temporal could not take', () => {
  const limit = 2 * 1024 * 1024 - 16 * 1024;
  expect(() => checkSize('x'.repeat(limit - 2))).not.toThrow();
  expect(() => checkSize('x'.repeat(limit - 1))).toThrow(`got ${limit + 1}`);
  expect(() => checkSize('é'.repeat(limit / 2))).toThrow('spec: expected at most');
  expect(() => checkSize('x'.repeat(limit - 102), 100)).not.toThrow();
  expect(() => checkSize('x'.repeat(limit - 101), 100)).toThrow(`at most ${limit - 100} bytes`);
  expect(() => checkSize(undefined)).not.toThrow();
  expect(() => checkSize({ callbackArgs: 'x'.repeat(262_142) })).not.toThrow();
  expect(() => checkSize({ callbackArgs: 'x'.repeat(262_143) })).toThrow(
    'callbackArgs: expected at most 262144 bytes of JSON, got 262145',
  );
  const circular: { self?: unknown } = {};
  circular.self = circular;
  for (const value of [circular, 5n, { toJSON: () => 5n }]) {
    expect(() => checkSize(value)).toThrow(
      expect.objectContaining({
        type: 'InvalidRequestError',
        message: expect.stringContaining('written as JSON'),
      }),
    );
  }
});
