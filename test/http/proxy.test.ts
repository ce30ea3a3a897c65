import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { startTinyproxy } from '../support/tinyproxy.ts';
import { waitFor } from '../support/wait-for.ts';
import { Http2Target, OK2 } from './http2-target.ts';
import { POST, RawServer, Sender, answering, startTlsServer } from './support.ts';

const body = { kind: 'text', value: 'order' } as const;
const PASSWORD = 'sesame-f00';

const proxyAt = (port: number, userinfo = ''): string => `http://${userinfo}127.0.0.1:${port}`;

function neverSent(port: number, message: string, transient: boolean): object {
  return {
    ...{ type: 'ConnectionError', phase: 'connect', transient },
    message: expect.stringContaining(`: proxy 127.0.0.1:${port}: ${message}`),
  };
}

describe('a real proxy', () => {
  test('http: the whole URL goes to it', async () => {
    await using proxy = await startTinyproxy();
    await using target = await startTargetServer();
    await using sender = new Sender({ proxyUrl: proxyAt(proxy.port) });
    for (let i = 0; i < 3; i++) {
      const response = await sender.send({ url: target.url(`/echo?i=${i}`), ...POST, body });
      expect(response).toMatchObject({ status: 200, url: target.url(`/echo?i=${i}`) });
      expect(target.hits[i]).toMatchObject({ method: 'POST', path: `/echo?i=${i}`, body: 'order' });
      expect(target.hits[i]!.headers).toMatchObject({ via: expect.stringContaining('tinyproxy') });
      expect(target.hits[i]!.headers.host).toBe(new URL(target.origin).host);
    }
    expect(await proxy.log()).toContain(`POST ${target.url('/echo')}`);
  });

  test('https: through a tunnel, HTTP/2 and HTTP/1.1', async () => {
    await using proxy = await startTinyproxy();
    await using http2 = await Http2Target.start(OK2);
    await using http1 = await startTlsServer((_, response) => response.end('one'), 'server');
    await using sender = new Sender({ proxyUrl: proxyAt(proxy.port) });
    const all = Array.from({ length: 20 }, () => sender.send({ url: http2.url(), ...POST, body }));
    expect((await Promise.all(all)).every((response) => response.body === 'ok')).toBe(true);
    expect(http2.sessions).toHaveLength(1);
    for (let i = 0; i < 3; i++) {
      expect(await sender.get(http1.url())).toMatchObject({ status: 200, body: 'one' });
    }
    const log = await proxy.log();
    expect(log.match(/CONNECT localhost:/g)).toHaveLength(1);
    expect(log.match(/CONNECT 127\.0\.0\.1:/g)).toHaveLength(1);
  });

  test('credentials: right, wrong, none', async () => {
    await using proxy = await startTinyproxy({ password: PASSWORD });
    await using plain = await startTargetServer();
    await using target = await Http2Target.start(OK2);
    const right = proxyAt(proxy.port, `patient:${PASSWORD}@`);
    await using sender = new Sender({ proxyUrl: right });
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
    expect(await sender.get(plain.url('/echo'))).toMatchObject({ status: 200 });
    expect(plain.hits[0]!.headers).not.toHaveProperty('proxy-authorization');
    expect(target.hits[0]!.headers).not.toHaveProperty('proxy-authorization');

    for (const userinfo of ['', `patient:wrong-${PASSWORD}@`]) {
      const proxyUrl = proxyAt(proxy.port, userinfo);
      await using refused = new Sender({ proxyUrl });
      const error = await refused.fail({ url: target.url('/x?key=hidden'), ...POST });
      expect(error).toMatchObject(
        neverSent(proxy.port, `credentials not accepted (status ${userinfo ? 401 : 407})`, false),
      );
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(PASSWORD);
      // Its 401 to wrong ones looks like the target's; a 407 is nobody else's.
      if (userinfo) {
        expect(await refused.get(plain.url('/echo'))).toMatchObject({ status: 401 });
      } else {
        const relayed = await refused.fail({ url: plain.url('/echo'), ...POST });
        expect(relayed).toMatchObject({ type: 'ConnectionError', phase: 'connect' });
        expect(relayed.message).toContain('credentials not accepted');
      }
    }
    expect(plain.hits).toHaveLength(1);
    expect(target.hits).toHaveLength(1);
  });

  test('credentials of a request’s own: its URL is a secret', async () => {
    await using proxy = await startTinyproxy({ password: PASSWORD });
    await using plain = await startTargetServer();
    await using target = await Http2Target.start(OK2);
    const known: Record<string, string> = {
      PROXY: proxyAt(proxy.port, `patient:${PASSWORD}@`),
      WRONG: proxyAt(proxy.port, `patient:wrong-${PASSWORD}@`),
      NONE: `socks5://${PASSWORD}`,
    };
    await using sender = new Sender({ secrets: (name) => known[name] });
    const over = (url: string, $secret = 'PROXY') => ({ url, proxyUrl: { $secret } });
    expect(await sender.send(over(target.url()))).toMatchObject({ status: 200 });
    expect(await sender.send(over(plain.url('/redirect/1')))).toMatchObject({ status: 200 });
    expect(plain.hits[1]!.headers).toMatchObject({ via: expect.stringContaining('tinyproxy') });
    expect(plain.hits[1]!.headers).not.toHaveProperty('proxy-authorization');

    const error = await sender.fail({ ...over(target.url(), 'WRONG'), ...POST });
    expect(error).toMatchObject(
      neverSent(proxy.port, 'credentials not accepted (status 401)', false),
    );
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(PASSWORD);
    expect(await sender.fail(over(target.url(), 'NONE'))).toMatchObject({
      type: 'InvalidRequestError',
      message: expect.stringContaining('proxyUrl: secret NONE is no http:// or https:// URL'),
    });
    expect(await sender.fail(over(target.url(), 'OTHER'))).toMatchObject({
      type: 'SecretNotFoundError',
    });
  });

  test('a target that cannot be reached', async () => {
    await using proxy = await startTinyproxy();
    await using sender = new Sender({ proxyUrl: proxyAt(proxy.port) });
    expect(await sender.fail({ url: 'https://127.0.0.1:1/', ...POST })).toMatchObject(
      neverSent(proxy.port, 'tunnel refused (status 50', true),
    );
    expect((await sender.get('http://127.0.0.1:1/')).status).toBeGreaterThanOrEqual(500);
  });

  test('a certificate behind it is the target’s', async () => {
    await using proxy = await startTinyproxy();
    await using target = await startTlsServer((_, response) => response.end());
    await using sender = new Sender({ proxyUrl: proxyAt(proxy.port) });
    const error = await sender.fail({ url: target.url() });
    expect(error).toMatchObject({ type: 'TlsError', phase: 'connect', transient: false });
    expect(error.message).toBe(
      `GET ${target.url()}: certificate not accepted (DEPTH_ZERO_SELF_SIGNED_CERT)`,
    );
  });

  test('the gate holds the tunnel, an abort ends it', async () => {
    await using proxy = await startTinyproxy();
    await using target = await Http2Target.start();
    await using sender = new Sender({ proxyUrl: proxyAt(proxy.port) });
    const abort = new AbortController();
    let open!: () => void;
    let asked = false;
    const send = sender.send(
      { url: target.url(), ...POST, body, protocol: 'http2' },
      {
        signal: abort.signal,
        beforeFirstByte: () => {
          asked = true;
          return new Promise((resolve) => (open = resolve));
        },
      },
    );
    await waitFor(() => asked && target.sessions.length === 1);
    expect(target.hits).toHaveLength(0);
    open();
    await target.seen(1);
    abort.abort(new Error('enough'));
    await expect(send).rejects.toThrow('enough');
    await waitFor(() => target.hits[0]!.stream.closed);
  });
});

describe('a proxy that fails', () => {
  test('refuses the connection', async () => {
    await using sender = new Sender({ proxyUrl: 'http://127.0.0.1:1' });
    for (const url of ['http://example.test/', 'https://example.test/']) {
      expect(await sender.fail({ url, ...POST })).toMatchObject(
        neverSent(1, 'connection refused (ECONNREFUSED', true),
      );
    }
  });

  test('does not exist', async () => {
    await using sender = new Sender({ proxyUrl: `http://me:${PASSWORD}@no-such.invalid:3128` });
    const error = await sender.fail({ url: 'https://example.test/' });
    expect(error).toMatchObject({ type: 'ConnectionError', phase: 'connect', transient: true });
    expect(error.message).toMatch(/: proxy no-such\.invalid:3128: host (not found|could not be)/);
    expect(error.message).not.toContain(PASSWORD);
  });

  test.each([
    [400, 'tunnel refused', false],
    [403, 'tunnel refused', false],
    [407, 'credentials not accepted', false],
    [429, 'tunnel refused', true],
    [502, 'tunnel refused', true],
    [503, 'tunnel refused', true],
  ])('answers CONNECT with %s', async (status, message, transient) => {
    await using proxy = await RawServer.start(
      answering(`HTTP/1.1 ${status} No\r\ncontent-length: 6\r\n\r\nsorry!`),
    );
    await using sender = new Sender({ proxyUrl: proxyAt(proxy.port) });
    expect(await sender.fail({ url: 'https://example.test/', ...POST })).toMatchObject(
      neverSent(proxy.port, `${message} (status ${status})`, transient),
    );
    await waitFor(() => proxy.sockets[0]!.destroyed);
    expect(proxy.received[0]).toMatch(/^CONNECT example\.test:443 HTTP\/1\.1\r\n/);
  });

  test.each([
    ['closes', '', 'end', 'connection reset'],
    ['resets', '', 'resetAndDestroy', 'connection reset'],
    ['speaks something else', 'SSH-2.0-x\r\n', 'end', 'response is not valid HTTP'],
  ] as const)('%s', async (_name, answer, how, message) => {
    await using proxy = await RawServer.start((socket) => {
      socket.once('data', () => (answer ? socket.write(answer) : socket[how]()));
    });
    await using sender = new Sender({ proxyUrl: proxyAt(proxy.port) });
    expect(await sender.fail({ url: 'https://example.test/', ...POST })).toMatchObject(
      neverSent(proxy.port, message, true),
    );
  });

  test.each(['http', 'https'])('and never shows its credentials: %s', async (scheme) => {
    const basic = Buffer.from(`me:${PASSWORD}`).toString('base64');
    for (const answer of ['', 'SSH-2.0-x\r\n', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx']) {
      await using proxy = await RawServer.start((socket) => {
        socket.once('data', () => socket.end(answer));
      });
      await using sender = new Sender({ proxyUrl: proxyAt(proxy.port, `me:${PASSWORD}@`) });
      const error = await sender.fail({ url: `${scheme}://example.test/`, ...POST });
      expect(proxy.received[0]).toContain(basic);
      const shown = inspect(error, { depth: 9, showHidden: true });
      expect(shown).not.toContain(PASSWORD);
      expect(shown).not.toContain(basic);
    }
  });

  test('is silent: the connect timeout, and an abort', async () => {
    await using proxy = await RawServer.start();
    await using sender = new Sender({ proxyUrl: proxyAt(proxy.port) });
    const url = 'https://example.test/';
    expect(await sender.fail({ url, connectTimeout: 60 })).toMatchObject({
      ...{ type: 'TimeoutError', phase: 'connect' },
      message: expect.stringContaining('not connected after 60 ms (connectTimeout)'),
    });
    await waitFor(() => proxy.sockets[0]!.destroyed);

    const abort = new AbortController();
    const send = sender.send({ url }, { signal: abort.signal });
    await waitFor(() => proxy.received[1]);
    abort.abort();
    await expect(send).rejects.toBe(abort.signal.reason);
    await waitFor(() => proxy.sockets[1]!.destroyed);
  });

  test('breaks off the handshake in its tunnel', async () => {
    await using proxy = await RawServer.start((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.once('data', () => socket.end());
      });
    });
    await using sender = new Sender({ proxyUrl: proxyAt(proxy.port) });
    const error = await sender.fail({ url: 'https://example.test/', ...POST });
    expect(error).toMatchObject({ type: 'ConnectionError', phase: 'connect', transient: true });
    expect(error.message).toContain('TLS handshake broken off');
  });
});

test('a proxy that speaks TLS itself', async () => {
  // Node's server hands the socket over at CONNECT: that of the proxy, encrypted.
  await using target = await Http2Target.start(OK2);
  const { connect } = await import('node:net');
  await using proxy = await startTlsServer(
    (request, response) => response.end(request.url),
    'server',
  );
  proxy.server.on('connect', (_request, socket) => {
    const upstream = connect(target.port, '127.0.0.1');
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    socket.pipe(upstream).pipe(socket);
    for (const end of [socket, upstream]) end.on('error', () => {});
    socket.on('close', () => upstream.destroy());
  });
  await using sender = new Sender({ proxyUrl: proxy.url() });
  expect(await sender.get('http://example.test/x')).toMatchObject({
    body: 'http://example.test/x',
  });
  expect(await sender.get(target.url())).toMatchObject({ body: 'ok' });

  await using selfSigned = await startTlsServer((_, response) => response.end());
  const error = await sender.fail({ url: 'http://example.test/', proxyUrl: selfSigned.url('') });
  expect(error).toMatchObject({ type: 'TlsError', phase: 'connect', transient: false });
  expect(error.message).toContain(`proxy 127.0.0.1:`);
});
