import { constants } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';
import { Http2Target, OK2 } from './http2-target.ts';
import type { Http2Hit } from './http2-target.ts';
import { OK, POST, RawServer, Sender, answering, startTlsServer } from './support.ts';

const body = { kind: 'text', value: 'order' } as const;
const unsent = { type: 'ConnectionError', phase: 'connect', transient: true };
const lost = { type: 'ConnectionError', phase: 'sent', transient: true };

function ok(hits: Http2Hit[]): void {
  for (const { stream } of hits) {
    stream.respond({ ':status': 200 });
    stream.end('ok');
  }
}

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

describe('the server ends', () => {
  test('a stream it refuses: sent once more, then it was never sent', async () => {
    await using target = await Http2Target.start(({ stream }, index) => {
      if (index === 0 || index > 1) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else ok([target.hits[index]!]);
    });
    await using sender = new Sender();
    let asked = 0;
    const hooks = { beforeFirstByte: async () => void asked++ };
    expect(await sender.send({ url: target.url(), ...POST, body }, hooks)).toMatchObject({
      status: 200,
    });
    expect(asked).toBe(1);
    expect(target.hits.map((hit) => hit.headers[':method'])).toEqual(['POST', 'POST']);

    expect(await sender.fail({ url: target.url(), ...POST, body })).toMatchObject(unsent);
    expect(target.hits).toHaveLength(4);
  });

  test.each(['NGHTTP2_CANCEL', 'NGHTTP2_INTERNAL_ERROR', 'NGHTTP2_NO_ERROR'] as const)(
    'a stream before its answer: %s',
    async (code) => {
      await using target = await Http2Target.start(({ stream }, index) => {
        if (index === 0) stream.close(constants[code]);
      });
      await using sender = new Sender();
      expect(await sender.fail({ url: target.url(), ...POST, body })).toMatchObject(lost);
      expect(target.hits).toHaveLength(1);
      // The session is none the worse for it.
      target.answer = OK2;
      expect(await sender.get(target.url())).toMatchObject({ status: 200 });
      expect(target.sessions).toHaveLength(1);
    },
  );

  test.each([
    ['with its length', { 'content-length': '100' }],
    ['without', {}],
  ])('a stream within its answer, as if nothing was wrong: %s', async (_, headers) => {
    await using target = await Http2Target.start(({ stream }) => {
      stream.respond({ ':status': 200, ...headers });
      stream.write('half of it', () => stream.close(constants.NGHTTP2_NO_ERROR));
      // Not ended: a reset without an error is all that the client sees.
      stream.end = () => stream;
    });
    await using sender = new Sender();
    expect(await sender.fail({ url: target.url() })).toMatchObject(lost);
  });

  test('a stream within its answer, others go on', async () => {
    await using target = await Http2Target.start(({ stream, headers }) => {
      if (headers[':path'] === '/held') return;
      stream.respond({ ':status': 200 });
      stream.write('half of it', () => stream.destroy(new Error('broken')));
    });
    await using sender = new Sender();
    const held = sender.get(target.url('/held'));
    await target.seen(1);
    const error = await sender.fail({ url: target.url('/broken') });
    expect(error).toMatchObject(lost);
    expect(error.message).toContain('NGHTTP2_INTERNAL_ERROR');
    ok(target.hits.slice(0, 1));
    expect(await held).toMatchObject({ status: 200 });
  });

  test('the session, by GOAWAY: what it has taken is answered, what it has not goes elsewhere', async () => {
    await using target = await Http2Target.start();
    await using sender = new Sender();
    const all = Array.from({ length: 10 }, () => sender.send({ url: target.url(), ...POST, body }));
    await target.seen(10);
    // Of the ten streams 1, 3, …, 19 it says that it has taken those up to 9.
    target.answer = OK2;
    target.sessions[0]!.goaway(constants.NGHTTP2_NO_ERROR, 9);
    await target.seen(15);
    expect(target.sessions).toHaveLength(2);
    ok(target.hits.slice(0, 5));
    expect((await Promise.all(all)).every(({ status }) => status === 200)).toBe(true);
    expect(target.hits).toHaveLength(15);
    await waitFor(() => target.sessions[0]!.destroyed);
  });

  test('the session, by GOAWAY with an error: lost is what it had taken', async () => {
    await using target = await Http2Target.start();
    await using sender = new Sender();
    const all = Array.from({ length: 10 }, () =>
      sender.send({ url: target.url(), ...POST, body }).catch((error: unknown) => error),
    );
    await target.seen(10);
    target.answer = OK2;
    target.sessions[0]!.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 9);
    const results = await Promise.all(all);
    for (const result of results.slice(0, 5)) expect(result).toMatchObject(lost);
    for (const result of results.slice(5)) expect(result).toMatchObject({ status: 200 });
  });

  test('the connection', async () => {
    await using target = await Http2Target.start();
    await using sender = new Sender();
    const post = sender.fail({ url: target.url(), ...POST, body });
    const get = sender.fail({ url: target.url() });
    await target.seen(2);
    target.sockets[0]!.destroy();
    expect(await post).toMatchObject(lost);
    expect(await get).toMatchObject(lost);
  });

  test('the connection, between us and it', async () => {
    await using target = await Http2Target.start();
    await using between = await startTcpProxy(target.port);
    await using sender = new Sender();
    const post = sender.fail({ url: `https://localhost:${between.port}/`, ...POST, body });
    await target.seen(1);
    between.cut();
    expect(await post).toMatchObject(lost);
  });

  test('a kept connection, unanswered: sent once more, if that is allowed', async () => {
    await using target = await Http2Target.start(OK2);
    await using sender = new Sender();
    await sender.get(target.url());
    target.answer = (hit, index) => {
      if (index === 1 || index === 3) target.sockets.at(-1)!.destroy();
      else ok([hit]);
    };
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
    expect(await sender.fail({ url: target.url(), ...POST, body })).toMatchObject(lost);
    expect(target.hits).toHaveLength(4);
  });
});

describe('a session that has been silent', () => {
  const silent = async (ms = 1_050): Promise<void> => {
    const since = performance.now();
    await waitFor(() => performance.now() - since > ms);
  };

  test('is asked before it gets what may not be sent again', async () => {
    await using target = await Http2Target.start(OK2);
    await using between = await startTcpProxy(target.port);
    await using sender = new Sender();
    const url = `https://localhost:${between.port}/`;
    await sender.get(url);
    await silent();
    const posts = [1, 2].map(() => sender.send({ url, ...POST, body }));
    expect(await Promise.all(posts)).toMatchObject([{ status: 200 }, { status: 200 }]);
    expect(target.sessions).toHaveLength(1);

    // Half-open: what is sent goes nowhere, and nobody says so.
    await silent();
    between.freeze();
    let sent = false;
    const post = sender.send({ url, ...POST, body }, { onSent: () => (sent = true) });
    const abort = new AbortController();
    const aborted = sender.send({ url, ...POST, body }, { signal: abort.signal });
    await silent(100);
    expect(sent).toBe(false);
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    between.restore();
    expect(await post).toMatchObject({ status: 200 });
    expect(target.hits).toHaveLength(4);
  });

  test('and does not answer: gets no more requests', async () => {
    await using target = await Http2Target.start(OK2);
    await using between = await startTcpProxy(target.port);
    await using sender = new Sender();
    const url = `https://localhost:${between.port}/`;
    await sender.get(url);
    await silent();
    between.freeze();
    // A request that may be sent again does not ask first, but its end does.
    expect(await sender.fail({ url, timeout: 100 })).toMatchObject({ type: 'TimeoutError' });
    await waitFor(() => target.sockets[0]!.destroyed);
    between.restore();
    expect(await sender.get(url)).toMatchObject({ status: 200 });
  });
});

describe('the request', () => {
  test('is not begun before the hook resolves', async () => {
    await using target = await Http2Target.start(OK2);
    await using sender = new Sender();
    for (const request of [{ body }, {}, { method: 'GET' as const }]) {
      const events: string[] = [];
      let open!: () => void;
      const opened = new Promise<void>((resolve) => (open = resolve));
      const before = target.hits.length;
      const response = sender.send(
        { url: target.url(), ...POST, ...request },
        {
          beforeFirstByte: () => {
            events.push('asked');
            return opened;
          },
          onSent: () => events.push('sent'),
        },
      );
      await waitFor(() => events.length === 1);
      // Overtaken on the same session.
      await sender.send({ url: target.url(), ...POST });
      expect(target.hits).toHaveLength(before + 1);
      expect(events).toEqual(['asked']);
      open();
      expect(await response).toMatchObject({ status: 200 });
      expect(events).toEqual(['asked', 'sent']);
    }
    expect(target.sessions).toHaveLength(1);
    expect(target.hits[3]?.headers['content-length']).toBe('0');
  });

  test('is not sent past a gate that the session did not outlive', async () => {
    await using target = await Http2Target.start(OK2);
    await using sender = new Sender();
    let sent = false;
    let open!: () => void;
    const opened = new Promise<void>((resolve) => (open = resolve));
    let asked = false;
    const failed = sender.fail(
      { url: target.url(), ...POST, body },
      {
        beforeFirstByte: () => {
          asked = true;
          return opened;
        },
        onSent: () => (sent = true),
      },
    );
    await waitFor(() => asked);
    target.sockets[0]!.destroy();
    await sender.get(target.url());
    open();
    expect(await failed).toMatchObject(unsent);
    expect(sent).toBe(false);
    expect(target.hits).toHaveLength(1);
  });

  test('a rejecting hook sends nothing and is what the try rejects with', async () => {
    await using target = await Http2Target.start(OK2, { settings: { maxConcurrentStreams: 1 } });
    await using sender = new Sender();
    const reason = new Error('fenced');
    const send = sender.send(
      { url: target.url(), ...POST, body },
      { beforeFirstByte: () => Promise.reject(reason) },
    );
    await expect(send).rejects.toBe(reason);
    // Its place is free again.
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
    expect(target.hits).toHaveLength(1);
    expect(target.sessions).toHaveLength(1);
  });

  test('aborted: its stream is reset with CANCEL, the session stays', async () => {
    await using target = await Http2Target.start();
    await using sender = new Sender();
    const abort = new AbortController();
    const held = sender.get(target.url());
    const send = sender.send({ url: target.url(), ...POST, body }, { signal: abort.signal });
    await target.seen(2);
    const { stream } = target.hits.find(({ headers }) => headers[':method'] === 'POST')!;
    abort.abort(new Error('enough'));
    await expect(send).rejects.toThrow('enough');
    await waitFor(() => stream.closed);
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
    ok(target.hits.filter((hit) => hit.stream !== stream));
    expect(await held).toMatchObject({ status: 200 });
    expect(target.sessions).toHaveLength(1);
    expect(target.sessions[0]!.destroyed).toBe(false);
  });

  test('aborted while a large body is being sent', async () => {
    await using target = await Http2Target.start(({ stream }) => stream.pause());
    await using sender = new Sender();
    const abort = new AbortController();
    const large = { ...body, value: 'x'.repeat(20_000_000) };
    const send = sender.send({ url: target.url(), ...POST, body: large }, { signal: abort.signal });
    await target.seen(1);
    abort.abort();
    await expect(send).rejects.toBe(abort.signal.reason);
    await waitFor(() => target.hits[0]!.stream.closed);
    expect(target.hits[0]!.body.length).toBeLessThan(20_000_000);
    target.answer = OK2;
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
  });

  test('answered before all of it was sent', async () => {
    await using target = await Http2Target.start(({ stream }) => {
      stream.pause();
      stream.respond({ ':status': 413 });
      stream.end('too large');
    });
    await using sender = new Sender();
    const large = { ...body, value: 'x'.repeat(20_000_000) };
    expect(await sender.send({ url: target.url(), ...POST, body: large })).toMatchObject({
      status: 413,
      body: 'too large',
    });
    target.answer = OK2;
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
    expect(target.sessions).toHaveLength(1);
  });

  test('what HTTP/2 cannot carry is refused', async () => {
    await using target = await Http2Target.start(OK2);
    await using sender = new Sender();
    const error = await sender.fail({ url: target.url(), headers: { connection: 'close' } });
    expect(error).toMatchObject({ type: 'InvalidRequestError', transient: false });
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
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
    expect(await sender.fail({ url: target.url('/body'), timeout: 150 })).toMatchObject(
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
    const second = sender.fail({ url, connectTimeout: 500 });
    abort.abort();
    await expect(first).rejects.toBe(abort.signal.reason);
    expect(silent.sockets[0]!.destroyed).toBe(false);
    // What kept the first one waiting does not keep who comes now.
    const third = sender.fail({ url, connectTimeout: 500 });
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
