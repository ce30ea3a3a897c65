import { describe, expect, test } from 'vitest';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { body, Http2Target, lost, ok, OK2, unsent } from './http2-target.ts';
import { OK, POST, RawServer, Sender, answering, startTlsServer } from './support.ts';

describe('protocol', () => {
  test('auto: HTTP/2 where the server offers it', async () => {
    await using target = await Http2Target.start(OK2);
    await using sender = new Sender();
    const response = await sender.send({
      url: target.url('/x?a=1'),
      ...POST,
      headers: { 'x-list': ['1', '2'] },
      body,
    });
    expect(response).toMatchObject({ status: 200, body: 'ok', url: target.url('/x?a=1') });
    expect(target.hits[0]).toMatchObject({
      body: 'order',
      headers: {
        ':method': 'POST',
        ':scheme': 'https',
        ':path': '/x?a=1',
        ':authority': new URL(target.url()).host,
        'content-length': '5',
        'x-request-id': 'request-1',
        'x-list': '1, 2',
      },
    });
  });

  test('auto: HTTP/1.1 where it does not, each request on a connection of its own', async () => {
    const held: (() => void)[] = [];
    await using server = await startTlsServer((_request, response) => {
      held.push(() => response.end('ok'));
    }, 'server');
    await using sender = new Sender();
    const all = Array.from({ length: 20 }, () => sender.get(server.url()));
    await waitFor(() => held.length === 20);
    for (const answer of held) answer();
    expect((await Promise.all(all)).every(({ body: text }) => text === 'ok')).toBe(true);
  });

  test('http1: although the server offers HTTP/2', async () => {
    await using target = await Http2Target.start(OK2, { allowHTTP1: true });
    target.server.on('request', ({ httpVersion }, response) => {
      if (httpVersion === '1.1') response.end(`HTTP/${httpVersion}`);
    });
    await using sender = new Sender();
    expect(await sender.get(target.url(), { protocol: 'http1' })).toMatchObject({
      body: 'HTTP/1.1',
    });
    expect(await sender.get(target.url())).toMatchObject({ body: 'ok' });
    expect(await sender.get(target.url(), { protocol: 'http2' })).toMatchObject({ body: 'ok' });
  });

  test.each([
    ['refuses the handshake', ['http/1.1'], 'TlsError', 'the server does not offer HTTP/2'],
    ['ignores the question', undefined, 'ConnectionError', 'the server does not offer HTTP/2'],
  ])('http2: fails with a server that %s', async (_name, ALPNProtocols, type, message) => {
    await using server = await startTlsServer((_, response) => response.end(), 'server', {
      ALPNProtocols,
    });
    await using sender = new Sender();
    const error = await sender.fail({ url: server.url(), protocol: 'http2' });
    expect(error).toMatchObject({ type, phase: 'connect', transient: false });
    expect(error.message).toContain(message);
  });

  test('http2 without TLS: by prior knowledge', async () => {
    await using target = await Http2Target.start(OK2, 'cleartext');
    await using sender = new Sender();
    const url = target.url();
    expect(await sender.send({ url, ...POST, body, protocol: 'http2' })).toMatchObject({
      status: 200,
    });
    expect(target.hits[0]?.headers[':scheme']).toBe('http');

    await using http1 = await RawServer.start(answering(OK));
    expect(await sender.fail({ url: http1.url(), protocol: 'http2' })).toMatchObject(unsent);
  });
});

describe('one session', () => {
  test('carries hundreds of POSTs at once', async () => {
    await using target = await Http2Target.start();
    await using sender = new Sender();
    const all = Array.from({ length: 500 }, (_, i) =>
      sender.send({ url: target.url(`/${i}`), ...POST, body: { ...body, value: `order ${i}` } }),
    );
    await target.seen(500);
    expect(target.sessions).toHaveLength(1);
    ok(target.hits);
    expect((await Promise.all(all)).every(({ status }) => status === 200)).toBe(true);
    expect(new Set(target.hits.map((hit) => hit.body)).size).toBe(500);

    // And the next ones, gate or not.
    target.answer = OK2;
    await sender.send({ url: target.url() }, { beforeFirstByte: async () => {} });
    await sender.get(target.url());
    expect(target.sessions).toHaveLength(1);
  });

  test('takes no more than the server allows; the rest goes over others', async () => {
    await using target = await Http2Target.start(undefined, {
      settings: { maxConcurrentStreams: 100 },
    });
    await using sender = new Sender();
    const all = Array.from({ length: 300 }, () =>
      sender.send({ url: target.url(), ...POST, body }),
    );
    await target.seen(300);
    expect(target.sessions).toHaveLength(3);
    ok(target.hits);
    expect((await Promise.all(all)).every(({ status }) => status === 200)).toBe(true);

    // Places are given back.
    target.answer = OK2;
    await Promise.all(Array.from({ length: 300 }, () => sender.get(target.url())));
    expect(target.sessions).toHaveLength(3);
  });

  test('a server that allows none', async () => {
    await using target = await Http2Target.start(OK2, { settings: { maxConcurrentStreams: 0 } });
    await using sender = new Sender();
    expect(await sender.fail({ url: target.url() })).toMatchObject(unsent);
  });

  test('a large body each way', async () => {
    const large = 'x'.repeat(3_000_000);
    await using target = await Http2Target.start((hit) => {
      hit.stream.on('end', () => {
        hit.stream.respond({ ':status': 200 });
        hit.stream.end(hit.body);
      });
    });
    await using sender = new Sender({});
    const request = { ...POST, body: { ...body, value: large }, maxResponseSize: 3_000_000 };
    const all = Array.from({ length: 5 }, () => sender.send({ url: target.url(), ...request }));
    for (const { body: text } of await Promise.all(all)) expect(text === large).toBe(true);
  });

  test('closes after the idle timeout, not before', async () => {
    await using target = await Http2Target.start();
    await using sender = new Sender({ idleConnectionTimeout: 50 });
    const held = sender.get(target.url());
    await target.seen(1);
    const since = performance.now();
    await waitFor(() => performance.now() - since > 150);
    ok(target.hits);
    expect(await held).toMatchObject({ status: 200 });
    await waitFor(() => target.sessions[0]!.destroyed);
  });

  test('close: lets what is in flight finish', async () => {
    await using target = await Http2Target.start();
    await using sender = new Sender();
    const held = sender.get(target.url());
    await target.seen(1);
    const closing = sender.transport.close();
    ok(target.hits);
    expect(await held).toMatchObject({ status: 200 });
    await closing;
    await waitFor(() => target.sessions[0]!.destroyed);
  });
});

describe('timeouts', () => {
  const timeout = (phase: string, option: string): object => ({
    ...{ type: 'TimeoutError', phase, transient: true },
    message: expect.stringContaining(`(${option})`),
  });

  test('connect: TLS, and the settings of a session', async () => {
    await using silent = await RawServer.start();
    await using sender = new Sender();
    const url = silent.url().replace('http', 'https');
    const both = [80, 160].map((connectTimeout) => sender.fail({ url, ...POST, connectTimeout }));
    for (const error of await Promise.all(both)) {
      expect(error).toMatchObject(timeout('connect', 'connectTimeout'));
    }
    await waitFor(() => silent.sockets[0]!.destroyed);
    expect(silent.sockets).toHaveLength(1);
    expect(
      await sender.fail({ url: silent.url(), protocol: 'http2', connectTimeout: 80 }),
    ).toMatchObject(timeout('connect', 'connectTimeout'));
    await waitFor(() => silent.sockets[1]!.destroyed);
  });

  test('first byte, idle, overall', async () => {
    await using target = await Http2Target.start(({ stream, headers }) => {
      if (headers[':path'] !== '/body') return;
      stream.respond({ ':status': 200 });
      stream.write('the first piece');
    });
    await using sender = new Sender();
    expect(await sender.fail({ url: target.url(), firstByteTimeout: 60 })).toMatchObject(
      timeout('sent', 'firstByteTimeout'),
    );
    expect(await sender.fail({ url: target.url('/body'), idleTimeout: 60 })).toMatchObject(
      timeout('sent', 'idleTimeout'),
    );
    expect(await sender.fail({ url: target.url('/body'), timeout: 600 })).toMatchObject(
      timeout('sent', 'timeout'),
    );
    await waitFor(() => target.hits.every(({ stream }) => stream.closed));
    expect(target.sessions).toHaveLength(1);
    target.answer = OK2;
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
  });
});

describe('connecting', () => {
  test('who comes while one connects waits with it; who has begun it may leave', async () => {
    await using silent = await RawServer.start();
    await using sender = new Sender();
    const url = silent.url().replace('http', 'https');
    const abort = new AbortController();
    const first = sender.send({ url }, { signal: abort.signal });
    await waitFor(() => silent.received[0]);
    const second = sender.fail({ url, connectTimeout: 1_500 });
    abort.abort();
    await expect(first).rejects.toBe(abort.signal.reason);
    expect(silent.sockets[0]!.destroyed).toBe(false);
    // What kept the first one waiting does not keep who comes now.
    const third = sender.fail({ url, connectTimeout: 1_500 });
    await waitFor(() => silent.received[1]);
    expect(await second).toMatchObject({ type: 'TimeoutError', phase: 'connect' });
    await waitFor(() => silent.sockets[0]!.destroyed);
    expect(await third).toMatchObject({ type: 'TimeoutError', phase: 'connect' });
    await waitFor(() => silent.sockets[1]!.destroyed);
  });

  test('a connection that fails, fails all that wait for it, unsent', async () => {
    await using sender = new Sender();
    const all = Array.from({ length: 5 }, () =>
      sender.fail({ url: 'https://127.0.0.1:1/', ...POST }),
    );
    for (const error of await Promise.all(all)) {
      expect(error).toMatchObject(unsent);
      expect(error.message).toContain('connection refused');
    }
  });

  test('redirects from HTTP/2 to HTTP/1.1 and back', async () => {
    await using plain = await startTargetServer();
    await using target = await Http2Target.start(({ stream, headers }) => {
      const location = plain.url(`/redirect-to?url=${encodeURIComponent(target.url('/end'))}`);
      if (headers[':path'] === '/end') stream.respond({ ':status': 204 }, { endStream: true });
      else stream.respond({ ':status': 302, location }, { endStream: true });
    });
    await using sender = new Sender();
    const response = await sender.get(target.url('/start'), { allowDowngrade: true });
    expect(response).toMatchObject({ status: 204, url: target.url('/end') });
    expect(response.redirects).toHaveLength(2);
    expect(target.sessions).toHaveLength(1);
  });
});

describe('response', () => {
  test('headers in lower case, repeated ones as arrays', async () => {
    await using target = await Http2Target.start(({ stream }) => {
      stream.respond({
        ':status': 200,
        'X-One': '1',
        'x-two': ['a', 'b'],
        'set-cookie': ['c=1', 'd=2'],
      });
      stream.end('é');
    });
    await using sender = new Sender();
    const { headers, body: text } = await sender.get(target.url());
    expect(headers).toMatchObject({
      'x-one': '1',
      'x-two': ['a', 'b'],
      'set-cookie': ['c=1', 'd=2'],
    });
    expect(Object.keys(headers).filter((name) => name.startsWith(':'))).toEqual([]);
    expect(text).toBe('é');
  });

  test('no body where HTTP allows none; informational ones are skipped', async () => {
    await using target = await Http2Target.start(({ stream, headers }) => {
      stream.additionalHeaders({ ':status': 103, link: '</x>' });
      if (headers[':method'] === 'HEAD') {
        return stream.respond({ ':status': 200, 'content-length': 7 }, { endStream: true });
      }
      stream.respond({ ':status': 204 }, { endStream: true });
    });
    await using sender = new Sender();
    expect(await sender.get(target.url())).toMatchObject({ status: 204, body: null });
    expect(await sender.get(target.url(), { method: 'HEAD' })).toMatchObject({
      status: 200,
      body: null,
      headers: { 'content-length': '7' },
    });
  });

  test('one that is too large is cut off, the session stays', async () => {
    await using target = await Http2Target.start(({ stream }) => {
      stream.respond({ ':status': 200 });
      const more = (): void => {
        if (!stream.destroyed) stream.write('x'.repeat(16_384), more);
      };
      more();
    });
    await using sender = new Sender();
    expect(await sender.fail({ url: target.url() })).toMatchObject({
      type: 'ResponseTooLargeError',
      transient: false,
    });
    await waitFor(() => target.hits[0]!.stream.closed);
    target.answer = OK2;
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
    expect(target.sessions).toHaveLength(1);
  });

  test('one that differs from its content-length', async () => {
    await using target = await Http2Target.start(({ stream }) => {
      stream.respond({ ':status': 200, 'content-length': '9' });
      stream.end('short');
    });
    await using sender = new Sender();
    expect(await sender.fail({ url: target.url() })).toMatchObject(lost);
  });
});
