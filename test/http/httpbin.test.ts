import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requestError, type RequestSpec, type WireError } from '../../src/index.ts';
import { runInline } from '../../src/testing/run-inline.ts';
import { startHttpbin, type Httpbin } from '../support/httpbin.ts';

let httpbin: Httpbin;

beforeAll(async () => {
  httpbin = await startHttpbin();
});
afterAll(() => httpbin?.[Symbol.asyncDispose]());

const send = (path: string, spec: Partial<RequestSpec> = {}) =>
  runInline({ url: httpbin.url(path), ...spec });

/** What httpbin tells of the request that it has seen. */
interface Echo {
  method: string;
  url: string;
  args: Record<string, string | string[]>;
  headers: Record<string, string>;
  data: string;
  form: Record<string, string | string[]>;
  json: unknown;
}

async function echo(path: string, spec: Partial<RequestSpec> = {}): Promise<Echo> {
  const response = await send(path, spec);
  expect(response).toMatchObject({ status: 200 });
  return response.json<Echo>();
}

async function failure(path: string, spec: Partial<RequestSpec> = {}): Promise<WireError> {
  const error = await send(path, { retry: { maximumAttempts: 1 }, ...spec }).then(
    ({ status }) => new Error(`expected a failure, got status ${status}`),
    (reason: unknown) => reason,
  );
  const found = requestError(error);
  if (!found) throw error;
  return found;
}

describe.concurrent('methods and bodies', () => {
  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const)('%s', async (method) => {
    const seen = await echo('/anything/here', { method, params: { a: [1, 'ü'], b: 'x y' } });
    expect(seen).toMatchObject({
      method,
      args: { a: ['1', 'ü'], b: 'x y' },
      headers: { 'User-Agent': 'patient-http' },
    });
    await echo(`/${method.toLowerCase()}`, { method });
    const wrong = method === 'GET' ? '/post' : '/get';
    expect(await send(wrong, { method })).toMatchObject({ status: 405 });
  });

  test('HEAD', async () => {
    const response = await send('/get', { method: 'HEAD' });
    expect(response).toMatchObject({ status: 200, body: null, method: 'HEAD' });
    expect(Number(response.headers['content-length'])).toBeGreaterThan(0);
  });

  test('text, JSON, form and bytes', async () => {
    expect(await echo('/post', { method: 'POST', body: 'grüß' })).toMatchObject({
      data: 'grüß',
      headers: { 'Content-Type': 'text/plain; charset=utf-8' },
    });
    expect(await echo('/put', { method: 'PUT', json: { paid: [1, null] } })).toMatchObject({
      json: { paid: [1, null] },
      headers: { 'Content-Type': 'application/json' },
    });
    expect(
      await echo('/patch', { method: 'PATCH', form: { a: [1, 2], b: 'ü&=+ ' } }),
    ).toMatchObject({
      form: { a: ['1', '2'], b: 'ü&=+ ' },
    });
    const bytes = await echo('/post', { method: 'POST', bodyBase64: '/wD+' });
    expect(bytes.data).toBe('data:application/octet-stream;base64,/wD+');
    expect(await echo('/delete', { method: 'DELETE', json: 1 })).toMatchObject({ json: 1 });
  });

  test('headers', async () => {
    const headers = { 'X-One': '1', 'x-many': ['a', 'b'] };
    expect((await echo('/headers', { headers })).headers).toMatchObject({
      'X-One': '1',
      'X-Many': 'a,b',
    });
  });
});

describe.concurrent('responses', () => {
  test.each([
    ['/gzip', { gzipped: true }],
    ['/deflate', { deflated: true }],
    ['/brotli', { brotli: true }],
  ])('%s', async (path, expected) => {
    const response = await send(path);
    expect(response.json()).toMatchObject(expected);
    expect(response.headers['content-encoding']).toBeUndefined();
  });

  test.each([200, 201, 202, 204, 300, 304, 400, 401, 404, 418, 500, 501])('%i', async (status) => {
    const response = await send(`/status/${status}`, { retry: { statuses: [] } });
    expect(response).toMatchObject({ status, redirects: [] });
    if (status === 204 || status === 304) expect(response.body).toBeNull();
  });

  test('text and bytes', async () => {
    expect((await send('/encoding/utf8')).text()).toContain('∮ E⋅da = Q,  n → ∞');
    expect((await send('/html')).text()).toContain('Moby-Dick');
    const image = await send('/image/png');
    expect(image).toMatchObject({
      bodyEncoding: 'base64',
      headers: { 'content-type': 'image/png' },
    });
    expect([...image.bytes().slice(1, 4)]).toEqual([0x50, 0x4e, 0x47]);
    expect((await send('/bytes/3000?seed=7')).bytes()).toHaveLength(3000);
  });

  test('stream', async () => {
    const lines = (await send('/stream/20')).text().trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { id: number }).id)).toEqual([
      ...Array(20).keys(),
    ]);
    expect((await send('/stream-bytes/5000?chunk_size=100')).bytes()).toHaveLength(5000);
    expect(await failure('/stream-bytes/5000', { maxResponseSize: 4999 })).toMatchObject({
      type: 'ResponseTooLargeError',
    });
  });

  test('drip, within and outside the idle timeout', async () => {
    const dripped = await send('/drip?numbytes=5&duration=1&delay=0', { idleTimeout: '10s' });
    expect(dripped.text()).toBe('*****');
    const path = '/drip?numbytes=2&duration=3&delay=0';
    expect(await failure(path, { idleTimeout: 200 })).toMatchObject({
      type: 'TimeoutError',
      phase: 'sent',
      message: expect.stringContaining('idleTimeout'),
    });
  });

  test('delay, within and outside the timeouts', async () => {
    const slow = await send('/delay/1');
    expect(slow.durationMs).toBeGreaterThan(990);
    for (const limit of ['timeout', 'firstByteTimeout'] as const) {
      expect(await failure('/delay/2', { [limit]: 500 })).toMatchObject({
        type: 'TimeoutError',
        message: expect.stringContaining(`(${limit})`),
      });
    }
  });

  test('not modified, in part', async () => {
    const fresh = { 'if-none-match': '"tag"' };
    expect(await send('/etag/tag', { headers: fresh })).toMatchObject({ status: 304, body: null });
    expect(await send('/etag/tag')).toMatchObject({ status: 200, headers: { etag: 'tag' } });
    const part = await send('/range/100', { headers: { range: 'bytes=0-9' } });
    expect(part).toMatchObject({ status: 206, bodyEncoding: 'base64' });
    expect(part.text()).toBe('abcdefghij');
  });

  test('cookies are sent as headers and kept by nobody', async () => {
    const cookie = 'a=1; b=2';
    expect((await send('/cookies', { headers: { cookie } })).json()).toEqual({
      cookies: { a: '1', b: '2' },
    });
    const set = await send('/cookies/set?c=3', { maxRedirects: 0 });
    expect(set.headers['set-cookie']).toContain('c=3');
    expect((await send('/cookies/set?c=3')).json()).toEqual({ cookies: {} });
  });
});

describe.concurrent('redirects', () => {
  test.each(['redirect', 'relative-redirect', 'absolute-redirect'])('%s', async (kind) => {
    const response = await send(`/${kind}/3`);
    expect(response).toMatchObject({ status: 200, url: httpbin.url('/get') });
    expect(response.redirects).toHaveLength(3);
    expect(await failure(`/${kind}/3`, { maxRedirects: 2 })).toMatchObject({
      type: 'TooManyRedirectsError',
    });
  });

  test.each([
    [301, 'POST', 'GET'],
    [302, 'POST', 'GET'],
    [303, 'POST', 'GET'],
    [303, 'PUT', 'GET'],
    [302, 'PUT', 'PUT'],
    [307, 'POST', 'POST'],
    [308, 'PATCH', 'PATCH'],
  ] as const)('%i after %s is %s', async (status, method, next) => {
    const url = encodeURIComponent(httpbin.url('/anything'));
    const path = `/redirect-to?url=${url}&status_code=${status}`;
    const json = method === next ? { paid: 1 } : null;
    expect(await echo(path, { method, json: { paid: 1 } })).toMatchObject({ method: next, json });
  });

  test('credentials stay with their origin', async () => {
    const headers = { authorization: 'Bearer hidden', cookie: 'a=hidden' };
    const localhost = httpbin.url('/headers').replace('127.0.0.1', 'localhost');
    const away = await echo(`/redirect-to?url=${encodeURIComponent(localhost)}`, { headers });
    expect(JSON.stringify(away.headers)).not.toContain('hidden');
    const home = await echo('/redirect-to?url=/headers', { headers });
    expect(home.headers).toMatchObject({ Authorization: 'Bearer hidden', Cookie: 'a=hidden' });
  });
});

describe.concurrent('authentication', () => {
  const basic = `Basic ${Buffer.from('user:pass').toString('base64')}`;

  test.each([
    ['/basic-auth/user/pass', basic, 401],
    ['/hidden-basic-auth/user/pass', basic, 404],
    ['/bearer', 'Bearer token', 401],
  ])('%s', async (path, authorization, without) => {
    expect(await send(path)).toMatchObject({ status: without });
    const response = await send(path, { headers: { authorization } });
    expect(response).toMatchObject({ status: 200 });
    expect(response.json()).toMatchObject({ authenticated: true });
  });

  test('an error has none of it', async () => {
    const spec = { headers: { authorization: 'Basic hidden' }, raiseErrorResponses: true };
    const error = await failure('/basic-auth/user/pass?key=hidden', spec);
    expect(error).toMatchObject({ type: 'HttpStatusError', response: { status: 401 } });
    expect(error.message).not.toContain('hidden');
  });
});
