import { describe, expect, test } from 'vitest';
import { toRequestError } from '../../src/http/error-map.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { POST, RawServer, Sender, answering, startTlsServer } from './support.ts';

const never = { phase: 'connect', transient: true };
const sent = { phase: 'sent', transient: true };

describe('never sent', () => {
  test('connection refused', async () => {
    await using sender = new Sender();
    const error = await sender.fail({ url: 'http://127.0.0.1:1/x?key=hidden', ...POST });
    expect(error).toMatchObject({ type: 'ConnectionError', ...never });
    expect(error.message).toBe(
      'POST http://127.0.0.1:1/x: connection refused (ECONNREFUSED 127.0.0.1:1)',
    );
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('connection refused by every address of a host', async () => {
    await using sender = new Sender();
    const error = await sender.fail({ url: 'http://localhost:1/' });
    expect(error).toMatchObject({ type: 'ConnectionError', ...never });
    expect(error.message).toMatch(
      /^GET http:\/\/localhost:1\/: connection refused \(ECONNREFUSED .+:1\)$/,
    );
  });

  test('no such host', async () => {
    await using sender = new Sender();
    const error = await sender.fail({ url: 'http://no-such-host.invalid/x' });
    expect(error).toMatchObject({ type: 'ConnectionError', ...never });
    expect(error.message).toMatch(
      /^GET http:\/\/no-such-host\.invalid\/x: host (not found|could not be looked up) \((ENOTFOUND|EAI_AGAIN) no-such-host\.invalid\)$/,
    );
  });

  test('a TLS handshake that is broken off', async () => {
    await using sender = new Sender();
    for (const how of ['end', 'resetAndDestroy'] as const) {
      await using server = await RawServer.start((socket) =>
        socket.once('data', () => socket[how]()),
      );
      const error = await sender.fail({ url: server.url('/x').replace('http', 'https') });
      expect(error).toMatchObject({ type: 'ConnectionError', ...never });
      expect(error.message).toMatch(
        /\/x: (TLS handshake broken off|connection reset) \(ECONNRESET\b/,
      );
    }
  });

  test('TLS spoken to a server without', async () => {
    await using server = await RawServer.start((socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')),
    );
    await using sender = new Sender();
    const error = await sender.fail({ url: server.url().replace('http', 'https') });
    expect(error).toMatchObject({ type: 'TlsError', ...never });
  });

  test('a certificate that is not to be trusted', async () => {
    let requests = 0;
    await using server = await startTlsServer((_request, response) => {
      requests++;
      response.end();
    });
    await using sender = new Sender();
    const error = await sender.fail({ url: server.url('/x?key=hidden') });
    expect(error).toMatchObject({ type: 'TlsError', phase: 'connect', transient: false });
    expect(error.message).toBe(
      `GET ${server.url('/x')}: certificate not accepted (DEPTH_ZERO_SELF_SIGNED_CERT)`,
    );
    expect(requests).toBe(0);
  });
});

describe('sent', () => {
  test.each([
    ['reset', '/reset', 'connection reset (ECONNRESET)'],
    ['short', '/half', 'connection closed (other side closed)'],
  ])('%s', async (_name, path, message) => {
    await using target = await startTargetServer();
    await using sender = new Sender();
    const error = await sender.fail({ url: target.url(`${path}?key=hidden`) });
    expect(error).toMatchObject({ type: 'ConnectionError', ...sent });
    expect(error.message).toBe(`GET ${target.url(path)}: ${message}`);
  });

  const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n';
  test.each([
    ['closed without an answer', '', 'end', 'connection closed'],
    ['closed within the status line', 'HTTP/1.1 20', 'end', 'connection closed'],
    ['closed within the headers', HEAD, 'end', 'connection closed'],
    ['reset within the headers', HEAD, 'resetAndDestroy', 'connection reset'],
    [
      'shorter than its content-length',
      `${HEAD}connection: close\r\ncontent-length: 9\r\n\r\nxx`,
      'end',
      'body differs from its content-length',
    ],
    [
      'shorter, by a reset',
      `${HEAD}connection: close\r\ncontent-length: 9\r\n\r\nxx`,
      'resetAndDestroy',
      'body differs from its content-length',
    ],
    [
      'within a chunk',
      `${HEAD}transfer-encoding: chunked\r\n\r\nff\r\nxx`,
      'end',
      'connection closed',
    ],
    [
      'within a chunk, to be closed',
      `${HEAD}connection: close\r\ntransfer-encoding: chunked\r\n\r\nff\r\nxx`,
      'end',
      'response is not valid HTTP (Invalid EOF state)',
    ],
    [
      'reset where only the end of the connection ends the body',
      `${HEAD}connection: close\r\n\r\nxx`,
      'resetAndDestroy',
      'connection reset',
    ],
    ['no HTTP', 'SSH-2.0-OpenSSH_9.9\r\n', 'end', 'response is not valid HTTP'],
    [
      'a broken chunk',
      `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n`,
      'end',
      'response is not valid HTTP',
    ],
    [
      'an upgrade nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
      'end',
      'connection closed (bad upgrade)',
    ],
  ] as const)('%s', async (_name, answer, how, message) => {
    await using server = await RawServer.start((socket) => {
      socket.once('data', () =>
        answer ? socket.write(answer, () => setTimeout(() => socket[how](), 20)) : socket[how](),
      );
    });
    await using sender = new Sender();
    const error = await sender.fail({ url: server.url('/x'), ...POST });
    expect(error.message).toContain(`POST ${server.url('/x')}: ${message}`);
    expect(error).toMatchObject({ type: 'ConnectionError', ...sent });
  });

  test('the end of the connection may end a body', async () => {
    await using server = await RawServer.start((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it'));
    });
    await using sender = new Sender();
    expect(await sender.get(server.url())).toMatchObject({ body: 'all of it' });
  });

  test('two answers to one request: the second is dropped with its connection', async () => {
    await using server = await RawServer.start(
      answering(
        'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2',
      ),
    );
    await using sender = new Sender();
    for (let i = 0; i < 3; i++) expect((await sender.get(server.url())).body).toBe('1');
    expect(server.sockets).toHaveLength(3);
  });

  test('an answer before the body has been sent', async () => {
    await using server = await RawServer.start((socket) => {
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n');
      });
    });
    await using sender = new Sender();
    const body = { kind: 'text', value: 'x'.repeat(20_000_000) } as const;
    expect(await sender.send({ url: server.url(), ...POST, body })).toMatchObject({ status: 413 });
  });
});

describe('table', () => {
  const of = (code: string, message = 'details'): Error =>
    Object.assign(new Error(message), { code });

  test.each([
    ['ENOTFOUND', 'ConnectionError', true],
    ['EAI_AGAIN', 'ConnectionError', true],
    ['ECONNREFUSED', 'ConnectionError', true],
    ['EHOSTUNREACH', 'ConnectionError', true],
    ['ENETUNREACH', 'ConnectionError', true],
    ['ETIMEDOUT', 'ConnectionError', true],
    ['ECONNRESET', 'ConnectionError', true],
    ['EPIPE', 'ConnectionError', true],
    ['EMFILE', 'ConnectionError', true],
    ['UND_ERR_SOCKET', 'ConnectionError', true],
    ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'ConnectionError', true],
    ['CERT_HAS_EXPIRED', 'TlsError', false],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'TlsError', false],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'TlsError', false],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'TlsError', false],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'TlsError', false],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'TlsError', false],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'TlsError', true],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'TlsError', false],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'TlsError', false],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'TlsError', false],
    ['ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL', 'TlsError', false],
    ['EPROTO', 'TlsError', true],
    ['ERR_HTTP2_STREAM_ERROR', 'ConnectionError', true],
    ['ERR_HTTP2_SESSION_ERROR', 'ConnectionError', true],
    ['ERR_HTTP2_ERROR', 'ConnectionError', true],
    ['ERR_HTTP2_INVALID_CONNECTION_HEADERS', 'InvalidRequestError', false],
    ['UND_ERR_HEADERS_OVERFLOW', 'ResponseTooLargeError', false],
    ['UND_ERR_INVALID_ARG', 'InvalidRequestError', false],
    ['UND_ERR_NOT_SUPPORTED', 'InvalidRequestError', false],
    ['ESOMETHINGELSE', 'UnknownError', false],
  ])('%s is %s, transient %s', (code, type, transient) => {
    const cause = of(code);
    const error = toRequestError(cause, 'GET http://x/', 'sent');
    expect(error).toMatchObject({ type, transient, cause });
    expect(error.message).toMatch(/^GET http:\/\/x\/: .+ \(.+\)$/);
    expect(error.phase).toBe(type === 'InvalidRequestError' ? 'prepare' : 'sent');
  });

  test.each(['text', undefined, null, 7])('a thrown %o', (cause) => {
    expect(toRequestError(cause, 'GET http://x/', 'connect')).toMatchObject({
      type: 'UnknownError',
      message: `GET http://x/: failed (${String(cause)})`,
    });
  });
});
