import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Method } from '../../src/shared/constants.ts';
import type { ResolvedRequest } from '../../src/shared/resolved-request.ts';
import { RedirectChain } from '../../src/http/redirects.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { RawServer, Sender, answering, startTlsServer } from './support.ts';

let target: TargetServer;
let other: TargetServer;
let sender: Sender;

beforeAll(async () => {
  target = await startTargetServer();
  other = await startTargetServer();
  sender = new Sender();
});
afterAll(async () => {
  await sender[Symbol.asyncDispose]();
  await target.close();
  await other.close();
});

const to = (url: string, status = 302): string =>
  target.url(`/redirect-to?status=${status}&url=${encodeURIComponent(url)}`);

interface Echo {
  method: string;
  body: string;
  headers: Record<string, string[]>;
}

async function echo(url: string, request: Partial<ResolvedRequest> = {}): Promise<Echo> {
  return JSON.parse((await sender.get(url, request)).body!) as Echo;
}

describe('method and body', () => {
  const KEPT = [307, 308];
  const cases = [301, 302, 303, 307, 308].flatMap((status) =>
    (['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as Method[]).map((method) => {
      const safe = method === 'GET' || method === 'HEAD';
      const keeps = safe || KEPT.includes(status) || (status !== 303 && method !== 'POST');
      return [status, method, keeps ? method : 'GET'] as const;
    }),
  );

  test.each(cases)('%i %s becomes %s', async (status, method, expected) => {
    const before = target.hits.length;
    const body = { kind: 'json', value: { paid: 1 } } as const;
    const safe = method === 'GET' || method === 'HEAD';
    const response = await sender.send({
      url: to('/echo', status),
      method,
      headers: {
        'content-language': 'de',
        'repr-digest': 'sha-256=:AA==:',
        digest: 'sha-256=AA==',
        'last-modified': 'Wed, 21 Oct 2026 07:28:00 GMT',
        'x-kept': 'yes',
      },
      body: safe ? undefined : body,
    });
    expect(response).toMatchObject({ status: 200, method: expected, url: target.url('/echo') });

    const [first, second, ...more] = target.hits.slice(before);
    expect(more).toEqual([]);
    expect(first).toMatchObject({ method, body: safe ? '' : '{"paid":1}' });
    const kept = expected === method;
    expect(second).toMatchObject({ method: expected, body: kept && !safe ? '{"paid":1}' : '' });
    expect(second!.headers['x-kept']).toBe('yes');
    for (const name of ['content-language', 'digest', 'repr-digest', 'last-modified']) {
      expect(name in second!.headers).toBe(kept);
    }
    expect(second!.headers['content-type']).toBe(kept && !safe ? 'application/json' : undefined);
    expect(second!.headers['content-length']).toBe(kept && !safe ? '10' : undefined);
    expect(second!.headers['x-request-id']).toBe('request-1');
  });
});

describe('where to', () => {
  test('redirects lists what was visited, url is the last', async () => {
    expect(await sender.get(target.url('/redirect/3?a=1'))).toMatchObject({
      redirects: [
        target.url('/redirect/3?a=1'),
        target.url('/redirect/2'),
        target.url('/redirect/1'),
      ],
      url: target.url('/echo'),
    });
  });

  test.each([
    ['/echo?b=2', '/echo?b=2'],
    ['echo', '/echo'],
    ['./echo', '/echo'],
    ['?url=%2Fecho&status=301', '/redirect-to?url=%2Fecho&status=301'],
    ['/echo#part', '/echo'],
    ['/echo?q=ü', '/echo?q=%C3%BC'],
    ['/echo?q=%FC', '/echo?q=%FC'],
  ])('Location %s', async (location, path) => {
    await using server = await RawServer.start(
      answering(
        `HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: ${Buffer.from(location).toString('latin1')}\r\n\r\n`,
        'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
      ),
    );
    expect(await sender.get(server.url('/redirect-to'))).toMatchObject({
      url: server.url(path),
      redirects: [server.url('/redirect-to')],
    });
    expect(server.received.join('')).toContain(`GET ${path} HTTP`);
  });

  test('a scheme-relative Location', async () => {
    const response = await sender.get(to(`//127.0.0.1:${other.port}/echo`));
    expect(response.url).toBe(other.url('/echo'));
  });

  test('params are not sent to the next hop again', async () => {
    const response = await sender.get(to('/echo'), { params: { key: 'k' } });
    expect(response.url).toBe(target.url('/echo'));
  });

  test('the connection is used on', async () => {
    await using fresh = await startTargetServer();
    await sender.get(fresh.url('/redirect/4'));
    expect(fresh.connections).toBe(1);
  });

  test('the body of a redirect is not waited for beyond measure', async () => {
    const big = await startTargetServer({
      handler(request, response) {
        if (request.url !== '/big') return false;
        response.writeHead(302, { location: '/echo' });
        response.write(Buffer.alloc(200_000)); // and no end
        return true;
      },
    });
    await using _closed = big;
    expect(await sender.get(big.url('/big'), { maxResponseSize: 1000 })).toMatchObject({
      status: 200,
    });
  });
});

describe('delivered as they are', () => {
  test.each([300, 304, 305, 306])('%i', async (status) => {
    expect(await sender.get(to('/echo', status))).toMatchObject({ status, redirects: [] });
  });

  test('without a Location', async () => {
    expect(await sender.get(target.url('/status/302'))).toMatchObject({ status: 302 });
    expect(await sender.get(to(''))).toMatchObject({ status: 302, headers: { location: '' } });
  });

  test('with maxRedirects 0', async () => {
    const response = await sender.get(to('/echo'), { maxRedirects: 0 });
    expect(response).toMatchObject({ status: 302, headers: { location: '/echo' }, redirects: [] });
  });
});

describe('too far', () => {
  test('as many as maxRedirects, not more', async () => {
    const four = target.url('/redirect/4?key=hidden');
    expect(await sender.get(four, { maxRedirects: 4 })).toMatchObject({ status: 200 });
    const before = target.total;
    const error = await sender.fail({ url: four, maxRedirects: 3 });
    expect(error).toMatchObject({ type: 'TooManyRedirectsError', phase: 'sent', transient: false });
    expect(error.message).toBe(`GET ${target.url('/redirect/1')}: more than 3 redirects`);
    expect(target.total - before).toBe(4);
  });

  test('a loop', async () => {
    await using looping = await startTargetServer({
      handler(request, response) {
        const location = request.url === '/a' ? '/b' : '/a';
        response.writeHead(request.method === 'POST' ? 303 : 302, { location }).end();
        return true;
      },
    });
    const error = await sender.fail({ url: looping.url('/a') });
    expect(error).toMatchObject({ type: 'RedirectLoopError', phase: 'sent', transient: false });
    expect(error.message).toBe(`GET ${looping.url('/b')}: redirected back to ${looping.url('/a')}`);
    expect(looping.total).toBe(2);
    // POST /a, GET /b, GET /a, GET /b: the same URL with another method is none
    await sender.fail({ url: looping.url('/a'), method: 'POST' });
    expect(looping.total).toBe(5);
  });

  test('post, redirect, get: back to the same URL is no loop', async () => {
    await using form = await startTargetServer({
      handler(request, response) {
        if (request.method === 'POST') response.writeHead(303, { location: request.url }).end();
        else response.end('seen');
        return true;
      },
    });
    const response = await sender.send({ url: form.url('/form'), method: 'POST' });
    expect(response).toMatchObject({ body: 'seen', method: 'GET', redirects: [form.url('/form')] });
  });
});

describe('refused', () => {
  test.each([
    ['ftp://example.com/?key=hidden', 'redirected to a ftp: URL'],
    ['javascript:alert(1)', 'redirected to a javascript: URL'],
    ['http://[bad/?key=hidden', 'redirected to an invalid Location'],
  ])('%s', async (location, message) => {
    const error = await sender.fail({ url: to(location) });
    expect(error).toMatchObject({ type: 'RedirectRefusedError', phase: 'sent', transient: false });
    expect(error.message).toBe(`GET ${target.url('/redirect-to')}: ${message}`);
  });

  test('from https to http, unless allowed', async () => {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      await using secure = await startTlsServer((request, response) => {
        if (request.url === '/up') response.writeHead(200).end('up');
        else response.writeHead(302, { location: target.url('/echo?key=hidden') }).end();
      });
      const before = target.total;
      const error = await sender.fail({ url: secure.url() });
      expect(error).toMatchObject({ type: 'RedirectRefusedError', transient: false });
      expect(error.message).toContain('allowDowngrade');
      expect(error.message).not.toContain('hidden');
      expect(target.total).toBe(before);
      expect(await sender.get(secure.url(), { allowDowngrade: true })).toMatchObject({
        status: 200,
      });
      // Upwards is always fine.
      expect(await sender.get(to(secure.url('/up')))).toMatchObject({ body: 'up' });
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    }
  });
});

describe('what another origin sees', () => {
  const headers = {
    authorization: 'Bearer hidden',
    cookie: 'session=hidden',
    'proxy-authorization': 'Basic hidden',
    'x-api': 'kept',
  };

  test('the same origin gets everything', async () => {
    expect((await echo(to('/echo'), { headers })).headers).toMatchObject({
      authorization: ['Bearer hidden'],
      cookie: ['session=hidden'],
      'proxy-authorization': ['Basic hidden'],
    });
  });

  test.each([
    ['another port', () => other.url('/echo')],
    ['another host', () => target.url('/echo').replace('127.0.0.1', 'localhost')],
  ])('%s gets no credentials', async (_what, url) => {
    const seen = await echo(to(url()), { headers });
    expect(JSON.stringify(seen)).not.toContain('hidden');
    expect(seen.headers['x-api']).toEqual(['kept']);
    expect(seen.headers['host']).toEqual([new URL(url()).host]);
  });

  test('another scheme of the same host gets none', () => {
    const chain = new RedirectChain({ maxRedirects: 5, allowDowngrade: true });
    const from = {
      url: new URL('http://a.test/'),
      method: 'GET',
      headers,
      body: undefined,
      secrets: undefined,
      preprocessors: [],
    } as const;
    const next = chain.next(from, 302, 'https://a.test/');
    expect(next.headers).toEqual({ 'x-api': 'kept' });
    expect(chain.next({ ...next, headers }, 302, 'http://a.test/x').headers).toEqual(next.headers);
  });

  test('they do not come back on the way home', async () => {
    const away = other.url(`/redirect-to?url=${encodeURIComponent(target.url('/echo'))}`);
    expect((await echo(to(away), { headers })).headers['authorization']).toBeUndefined();
  });

  test('userinfo in a Location is neither sent nor reported', async () => {
    const url = other.url('/echo').replace('http://', 'http://user:hidden@');
    const response = await sender.get(to(url));
    expect(response.url).toBe(other.url('/echo'));
    expect(JSON.parse(response.body!)).not.toHaveProperty('headers.authorization');
    const failed = await sender.fail({ url: to('http://user:hidden@127.0.0.1:1/x') });
    expect(failed.message).toContain('GET http://127.0.0.1:1/x: connection refused');
    expect(failed).toMatchObject({ type: 'ConnectionError', phase: 'sent' });
  });
});
