import http from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';

let target: TargetServer;

beforeEach(async () => void (target = await startTargetServer()));
afterEach(() => target.close());

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

/** node:http, so that nothing here goes through the transport. */
function ask(path: string, options: http.RequestOptions = {}, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(target.url(path), { agent: false, ...options }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: text }),
      );
    });
    request.on('error', reject).end(body);
  });
}

test('status', async () => {
  expect(await ask('/status/418?body=tea')).toMatchObject({ status: 418, body: 'tea' });
});

test('delay and drip take their time', async () => {
  const start = performance.now();
  expect(await ask('/delay/60')).toMatchObject({ status: 200, body: '{"delayed":60}' });
  expect(performance.now() - start).toBeGreaterThanOrEqual(55);
  expect((await ask('/drip?count=3&interval=20')).body).toBe('drop 0\ndrop 1\ndrop 2\n');
  expect(performance.now() - start).toBeGreaterThanOrEqual(110);
});

test('bytes', async () => {
  expect((await ask('/bytes/5')).headers['content-length']).toBe('5');
  expect((await ask('/bytes/5?chunked')).headers['transfer-encoding']).toBe('chunked');
});

test('echo', async () => {
  const headers = { 'x-many': ['a', 'b'], 'content-type': 'text/x' };
  const { body } = await ask('/echo?a=1', { method: 'PUT', headers }, 'grüß');
  expect(JSON.parse(body)).toMatchObject({
    method: 'PUT',
    url: '/echo?a=1',
    headers: { 'x-many': ['a', 'b'], 'content-type': ['text/x'] },
    body: 'grüß',
    bodyBase64: Buffer.from('grüß').toString('base64'),
  });
});

test('redirects', async () => {
  expect((await ask('/redirect/2')).headers.location).toBe('/redirect/1');
  expect((await ask('/redirect/1')).headers.location).toBe('/echo');
  expect(await ask('/redirect-to?url=http%3A%2F%2Fx%2F&status=308')).toMatchObject({
    status: 308,
    headers: { location: 'http://x/' },
  });
});

test.each(['gzip', 'deflate', 'br'])('%s', async (encoding) => {
  expect((await ask(`/${encoding}`)).headers['content-encoding']).toBe(encoding);
});

test('broken connections', async () => {
  await expect(ask('/reset')).rejects.toMatchObject({ code: 'ECONNRESET' });
  await expect(ask('/half')).rejects.toThrow('aborted');
});

test('hold and release', async () => {
  const answers = Promise.all([ask('/hold'), ask('/hold', { method: 'POST' }, 'x')]);
  await target.waitFor(({ inFlight }) => inFlight === 2);
  expect(target.release()).toBe(2);
  expect(await answers).toMatchObject([{ body: '{"held":true}' }, { status: 200 }]);
  await target.waitFor(({ inFlight }) => inFlight === 0);
  expect(target.peak).toBe(2);
});

test('flaky', async () => {
  const path = '/flaky/key/2/503?retryAfter=1';
  expect(await ask(path)).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  expect(await ask('/flaky/other/0/503')).toMatchObject({ status: 200 });
  expect(await ask(path)).toMatchObject({ status: 503 });
  expect(await ask(path)).toMatchObject({ status: 200 });
});

test('unknown routes, also those that every object has', async () => {
  expect(await ask('/constructor')).toMatchObject({ status: 404 });
  expect(await ask('/%')).toMatchObject({ status: 500 });
  expect(await ask('//')).toMatchObject({ status: 404 });
});

test('hits', async () => {
  await ask('/echo?a=1', { method: 'POST', headers: { 'X-Name': 'v' } }, 'body');
  expect(target.hits).toMatchObject([
    { method: 'POST', path: '/echo?a=1', headers: { 'x-name': 'v' }, body: 'body' },
  ]);
  await target.waitFor(({ hits }) => hits[0]!.closed);
  expect(target.hits[0]).toMatchObject({ aborted: false, closed: true });
  expect(target.count('/echo')).toBe(1);

  const request = http.request(target.url('/hold'), { agent: false }).on('error', () => {});
  request.end();
  await target.waitFor(() => target.count('/hold') === 1);
  request.destroy();
  await target.waitFor(({ hits }) => hits[1]!.closed);
  expect(target.hits[1]).toMatchObject({ aborted: true });
});

test('a handler of its own, and no records', async () => {
  await using own = await startTargetServer({
    record: false,
    handler: (request, response) => {
      if (request.url !== '/mine') return false;
      response.end('mine');
      return true;
    },
  });
  expect((await ask('', { port: own.port, path: '/mine' })).body).toBe('mine');
  expect((await ask('', { port: own.port, path: '/status/201' })).status).toBe(201);
  expect(own.hits).toEqual([]);
  expect(own.count('/mine')).toBe(1);
  expect(own.total).toBe(2);
});

test('waitFor says what it waited for', async () => {
  await expect(target.waitFor((server) => server.total === 7, 20)).rejects.toThrow(
    'server.total === 7',
  );
});

test('close ends what is open, and may be called twice', async () => {
  const held = ask('/hold');
  await target.waitFor(({ inFlight }) => inFlight === 1);
  await Promise.all([target.close(), expect(held).rejects.toThrow()]);
  await target.close();
});
