import { describe, expect, it, test } from 'vitest';
import { z } from 'zod';
import { resolveOptions } from '../../src/config/options.ts';
import { checkSpec, resolveRequest, type CheckedSpec } from '../../src/config/request-spec.ts';
import { requestSpecSchema } from '../../src/config/spec-schema.ts';
import { DEFAULT_HEARTBEAT_TIMEOUT } from '../../src/shared/constants.ts';
import type { ResolvedRequest } from '../../src/shared/resolved-request.ts';
import { ACCEPTED } from './accepted-specs.ts';
import { withField } from './refuse.ts';

const url = 'https://api.test/';
const context = { requestId: 'wf/run', defaults: resolveOptions() };
const resolve = (spec: unknown): ResolvedRequest => resolveRequest(spec, context);

describe.each(Object.entries(ACCEPTED))('%s', (field, cases) => {
  test.each(cases)('%o is accepted', (...[given, checked = given]) => {
    const spec = withField({ url, method: field === 'method' ? undefined : 'POST' }, field, given);

    expect(checkSpec(spec)[field as keyof CheckedSpec]).toEqual(checked);
  });
});

it('accepts every field', () => {
  expect(Object.keys(ACCEPTED)).toEqual(Object.keys(requestSpecSchema.shape));
});

it('can be written as JSON Schema', () => {
  const schema = z.toJSONSchema(requestSpecSchema, { io: 'input' });

  expect(schema).toMatchObject({ required: ['url'], additionalProperties: false });
});

describe('a URL alone', () => {
  it('is a GET with every default', () => {
    expect(resolve(url)).toEqual({
      requestId: 'wf/run',
      url,
      method: 'GET',
      headers: {},
      params: {},
      secrets: undefined,
      preprocessors: [],
      body: undefined,
      timeout: 60_000,
      connectTimeout: 10_000,
      firstByteTimeout: undefined,
      idleTimeout: undefined,
      protocol: 'auto',
      proxyUrl: undefined,
      maxRedirects: 5,
      allowDowngrade: false,
      maxResponseSize: 1024 * 1024,
      raiseErrorResponses: false,
      retry: {
        maximumAttempts: 3,
        statuses: [408, 425, 429, 500, 502, 503, 504],
        initialInterval: 1000,
        backoffCoefficient: 2,
        maximumInterval: 60_000,
        maxRetryAfter: 600_000,
      },
      resendable: true,
      idempotencyKey: undefined,
      deadline: undefined,
      callbackArgs: null,
    });
  });

  it('has the defaults that the workflow reads without the schema', () => {
    expect(checkSpec(url)).toMatchObject({
      heartbeatTimeout: DEFAULT_HEARTBEAT_TIMEOUT,
      result: 'full',
      protocol: 'auto',
    });
  });

  it('is the same with undefined fields', () => {
    const fields = Object.keys(requestSpecSchema.shape).map((field) => [field, undefined]);

    expect(resolve({ ...Object.fromEntries(fields), url })).toEqual(resolve(url));
  });
});

describe('defaults of the worker', () => {
  const defaults = resolveOptions({
    requestTimeout: '5m',
    connectTimeout: 500,
    maxRedirects: 0,
    maxResponseSize: 10,
    raiseErrorResponses: true,
    retry: { maximumAttempts: 7, statuses: [503], initialInterval: '10s' },
  });

  it('fill what the spec leaves out', () => {
    expect(resolveRequest(url, { requestId: 'r', defaults })).toMatchObject({
      timeout: 300_000,
      connectTimeout: 500,
      maxRedirects: 0,
      maxResponseSize: 10,
      raiseErrorResponses: true,
      retry: { maximumAttempts: 7, statuses: [503], initialInterval: 10_000 },
    });
  });

  it('give way to the spec, field by field', () => {
    const spec = {
      url,
      timeout: '1s',
      connectTimeout: '2s',
      maxRedirects: 3,
      maxResponseSize: 20,
      raiseErrorResponses: false,
      retry: { statuses: [] },
    };

    expect(resolveRequest(spec, { requestId: 'r', defaults })).toMatchObject({
      timeout: 1000,
      connectTimeout: 2000,
      maxRedirects: 3,
      maxResponseSize: 20,
      raiseErrorResponses: false,
      retry: { maximumAttempts: 7, statuses: [], initialInterval: 10_000 },
    });
  });

  test.each([
    [{ initialInterval: '5m' }, 300_000, 300_000],
    [{ maximumInterval: '100ms' }, 100, 100],
    [{ initialInterval: '2s', maximumInterval: '3s' }, 2000, 3000],
  ])('of an interval move out of the way of %o', (retry, initialInterval, maximumInterval) => {
    expect(resolve({ url, retry }).retry).toMatchObject({ initialInterval, maximumInterval });
  });
});

test('secrets are kept apart from what is shown', () => {
  const authorization = { $secret: 'KEY', prefix: 'Bearer ' };
  const headers = { Accept: 'a/b', Authorization: authorization };

  expect(resolve({ url, headers, params: { q: 1 } })).toMatchObject({
    headers: { accept: 'a/b' },
    params: { q: 1 },
    secrets: { headers: { authorization }, params: {} },
  });
  expect(resolve({ url, params: { q: 1, key: { $secret: 'KEY' } } })).toMatchObject({
    params: { q: 1 },
    secrets: { headers: {}, params: { key: { $secret: 'KEY' } } },
  });
});

describe('body', () => {
  const post = { url, method: 'POST' };
  test.each([
    [{}, undefined],
    [{ json: undefined }, undefined],
    [{ json: null }, { kind: 'json', value: null }],
    [
      { json: false, body: undefined },
      { kind: 'json', value: false },
    ],
    [{ body: '' }, { kind: 'text', value: '' }],
    [{ form: { a: ['1', null] } }, { kind: 'form', value: { a: ['1', null] } }],
    [{ bodyBase64: 'YQ==' }, { kind: 'base64', value: 'YQ==' }],
    [
      { multipart: [{ name: 'a', value: 'b' }] },
      { kind: 'multipart', value: [{ name: 'a', value: 'b' }] },
    ],
    [
      { method: 'DELETE', json: 1 },
      { kind: 'json', value: 1 },
    ],
  ])('%o', (fields, body) => {
    expect(resolve({ ...post, ...fields }).body).toEqual(body);
  });

  it('may hold what writes itself as JSON', () => {
    const json = { at: new Date(0), none: undefined };

    expect(resolve({ ...post, json }).body).toEqual({ kind: 'json', value: json });
  });

  it('may be almost as large as a payload', () => {
    expect(resolve({ ...post, bodyBase64: 'YWJj'.repeat(524_000) }).body?.kind).toBe('base64');
  });
});

describe('request id and idempotency key', () => {
  const post = { url, method: 'POST' };

  test("the spec's id wins, and is the key", () => {
    expect(resolve({ ...post, requestId: 'mine', idempotencyKey: true })).toMatchObject({
      requestId: 'mine',
      idempotencyKey: 'mine',
    });
  });

  test('a default id of any text becomes a key that a header can hold', () => {
    const requestId = 'commande n° 5/\ud800';
    const spec = { ...post, idempotencyKey: true };

    expect(resolveRequest(spec, { ...context, requestId })).toMatchObject({
      requestId,
      idempotencyKey: 'commande%20n%C2%B0%205/%EF%BF%BD',
    });
  });

  test.each([
    [{ method: 'POST' }, false],
    [{ method: 'PATCH' }, false],
    [{ method: 'GET' }, true],
    [{ method: 'HEAD' }, true],
    [{ method: 'PUT' }, true],
    [{ method: 'DELETE' }, true],
    [{ method: 'POST', resend: 'always' }, true],
    [{ method: 'GET', resend: 'never' }, false],
    [{ method: 'POST', idempotencyKey: true }, true],
    [{ method: 'POST', idempotencyKey: 'k' }, true],
    [{ method: 'POST', idempotencyKey: 'k', resend: 'never' }, false],
    [{ method: 'POST', idempotencyKey: false }, false],
    [{ method: 'POST', headers: { 'Idempotency-Key': 'k' } }, true],
    [{ method: 'POST', headers: { 'Idempotency-Key': '' } }, false],
  ])('%o may be sent again: %s', (fields, resendable) => {
    expect(resolve({ url, ...fields }).resendable).toBe(resendable);
  });
});
