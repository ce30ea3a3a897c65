import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { OK, POST, RawServer, Sender, answering } from './support.ts';

/** Servers that break the rules of HTTP, on purpose or not. Undici's parser is part of the proof. */
const HEAD = 'HTTP/1.1 200 OK\r\n';

/** Whatever became of a request, the sender goes on as if nothing had happened. */
async function stillWorks(sender: Sender): Promise<void> {
  await using good = await RawServer.start(answering(OK));
  for (let i = 0; i < 2; i++) expect(await sender.get(good.url())).toMatchObject({ body: 'ok' });
}

/** Repeats what it writes, as fast as the other side reads, until the connection ends. */
function flood(socket: Socket, first: string, piece: string): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.once('data', () => {
    socket.write(first);
    socket.on('drain', more);
    more();
  });
}

const WRONG_LENGTH = { type: 'ConnectionError', message: 'body differs from its content-length' };
const NOT_HTTP = { type: 'ConnectionError', message: 'response is not valid HTTP' };

describe('is an error', () => {
  test.each([
    ['two lengths', `${HEAD}content-length: 2\r\ncontent-length: 3\r\n\r\nokk`, WRONG_LENGTH],
    ['one length twice', `${HEAD}content-length: 2\r\ncontent-length: 2\r\n\r\nok`, WRONG_LENGTH],
    ['a list of lengths', `${HEAD}content-length: 2, 3\r\n\r\nokk`, WRONG_LENGTH],
    [
      'a length and chunks',
      `${HEAD}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      WRONG_LENGTH,
    ],
    ['a negative length', `${HEAD}content-length: -2\r\n\r\nok`, NOT_HTTP],
    ['a length in words', `${HEAD}content-length: two\r\n\r\nok`, NOT_HTTP],
    ['a length in hex', `${HEAD}content-length: 0x2\r\n\r\nok`, NOT_HTTP],
    ['a length of 2^64', `${HEAD}content-length: 18446744073709551616\r\n\r\nok`, WRONG_LENGTH],
    [
      'a chunk that is no number',
      `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\nok\r\n`,
      NOT_HTTP,
    ],
    ['a negative chunk', `${HEAD}transfer-encoding: chunked\r\n\r\n-2\r\nok\r\n`, NOT_HTTP],
    [
      'a chunk of 2^64',
      `${HEAD}transfer-encoding: chunked\r\n\r\n10000000000000000\r\nok\r\n`,
      NOT_HTTP,
    ],
    [
      'a chunk that goes on',
      `${HEAD}transfer-encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n`,
      NOT_HTTP,
    ],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n', NOT_HTTP],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n', NOT_HTTP],
    ['a status in words', 'HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n', NOT_HTTP],
    ['a status below 100', 'HTTP/1.1 042 Low\r\ncontent-length: 0\r\n\r\n', NOT_HTTP],
    ['another version', 'HTTP/9.9 200 OK\r\ncontent-length: 0\r\n\r\n', NOT_HTTP],
    ['HTTP/0.9', '<html>', NOT_HTTP],
    ['a NUL in a header', `${HEAD}x: a\0b\r\ncontent-length: 0\r\n\r\n`, NOT_HTTP],
    ['a control in a header', `${HEAD}x: a\x01b\r\ncontent-length: 0\r\n\r\n`, NOT_HTTP],
    ['a bare CR in a header', `${HEAD}x: a\rb: c\r\ncontent-length: 0\r\n\r\n`, NOT_HTTP],
    ['a folded header', `${HEAD}x-a: one\r\n two\r\ncontent-length: 0\r\n\r\n`, NOT_HTTP],
    [
      'a length in the trailers',
      `${HEAD}transfer-encoding: chunked\r\n\r\n0\r\ncontent-length: 9\r\n\r\n`,
      NOT_HTTP,
    ],
    [
      '100 that nobody asked for',
      `HTTP/1.1 100 Continue\r\n\r\n${OK}`,
      { type: 'ConnectionError', message: 'connection closed (bad response)' },
    ],
    ['no colon', `${HEAD}no colon\r\ncontent-length: 0\r\n\r\n`, NOT_HTTP],
    ['a space before the colon', `${HEAD}x : y\r\ncontent-length: 0\r\n\r\n`, NOT_HTTP],
    ['no name', `${HEAD}: y\r\ncontent-length: 0\r\n\r\n`, NOT_HTTP],
    [
      'a header of 40 KB',
      `${HEAD}x: ${'x'.repeat(40_000)}\r\n\r\n`,
      { type: 'ResponseTooLargeError', message: 'response headers too large' },
    ],
    [
      'ten thousand headers',
      HEAD + 'a: b\r\n'.repeat(10_000) + '\r\n',
      { type: 'ResponseTooLargeError', message: 'response headers too large' },
    ],
    [
      'trailers of 40 KB',
      `${HEAD}transfer-encoding: chunked\r\n\r\n0\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`,
      { type: 'ResponseTooLargeError', message: 'response headers too large' },
    ],
  ])('%s', async (_name, answer, { type, message }) => {
    await using server = await RawServer.start(answering(answer));
    await using sender = new Sender();
    for (const request of [
      { url: server.url('/x?key=hidden') },
      { url: server.url('/x'), ...POST },
    ]) {
      const error = await sender.fail(request);
      expect(error).toMatchObject({ type, phase: 'sent', transient: type === 'ConnectionError' });
      expect(error.message).toContain(`${server.url('/x')}: ${message}`);
    }
    expect(server.sockets).toHaveLength(2);
    await stillWorks(sender);
  });
});

describe('is a response', () => {
  test.each([
    ['no reason', 'HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok', { status: 200, body: 'ok' }],
    [
      'a reason of 10 KB',
      `HTTP/1.1 200 ${'x'.repeat(10_000)}\r\ncontent-length: 2\r\n\r\nok`,
      { body: 'ok' },
    ],
    ['a reason in Latin-1', 'HTTP/1.1 200 \xdcber\r\ncontent-length: 2\r\n\r\nok', { body: 'ok' }],
    [
      'a status nobody knows',
      'HTTP/1.1 999 X\r\ncontent-length: 2\r\n\r\nok',
      { status: 999, body: 'ok' },
    ],
    [
      'chunks with extensions and trailers',
      `${HEAD}transfer-encoding: chunked\r\n\r\n2;a="b;c"\r\nok\r\n0\r\nx-late: 1\r\n\r\n`,
      { body: 'ok', headers: { 'transfer-encoding': 'chunked' } },
    ],
    [
      'a header that is no UTF-8',
      `${HEAD}x-a: \xff\xfe\r\ncontent-length: 2\r\n\r\nok`,
      { body: 'ok', headers: { 'x-a': '\xff\xfe', 'content-length': '2' } },
    ],
    [
      'a body that is no UTF-8',
      `${HEAD}content-type: text/plain\r\ncontent-length: 2\r\n\r\n\xff\xfe`,
      { body: '//4=', bodyEncoding: 'base64' },
    ],
    ['1xx before it', 'HTTP/1.1 102 Wait\r\n\r\n'.repeat(1000) + OK, { status: 200, body: 'ok' }],
  ])('%s', async (_name, answer, expected) => {
    await using server = await RawServer.start(answering(answer));
    await using sender = new Sender();
    expect(await sender.get(server.url())).toMatchObject(expected);
    await stillWorks(sender);
  });

  // Whatever follows belongs to no request: the connection must not be used again.
  test.each([
    ['more than the length says', 'GET', `${OK}and more`, { body: 'ok' }],
    [
      'more after the last chunk',
      'GET',
      `${HEAD}transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore`,
      { body: 'ok' },
    ],
    ['204 with a body', 'GET', 'HTTP/1.1 204 No\r\n\r\nbody', { status: 204, body: null }],
    [
      '204 with chunks',
      'GET',
      'HTTP/1.1 204 No\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n',
      { status: 204, body: null },
    ],
    [
      '304 with a body',
      'GET',
      'HTTP/1.1 304 Not\r\ncontent-length: 4\r\n\r\nbody',
      { status: 304, body: null },
    ],
    ['a body to HEAD', 'HEAD', OK, { status: 200, body: null }],
    ['a second response', 'GET', OK + OK.replace('ok', 'no'), { body: 'ok' }],
  ] as const)('%s', async (_name, method, answer, expected) => {
    await using server = await RawServer.start(answering(answer));
    await using sender = new Sender();
    for (let i = 0; i < 3; i++) {
      expect(await sender.send({ url: server.url(), method, timeout: 5_000 })).toMatchObject(
        expected,
      );
      await waitFor(() => server.sockets[i]?.destroyed || server.sockets[i]?.readableEnded);
    }
    expect(server.sockets).toHaveLength(3);
  });

  test('304 with the length of what it stands for', async () => {
    const answer = 'HTTP/1.1 304 Not Modified\r\netag: "a"\r\ncontent-length: 1000\r\n\r\n';
    await using server = await RawServer.start(answering(answer));
    await using sender = new Sender();
    for (let i = 0; i < 2; i++) {
      expect(await sender.get(server.url())).toMatchObject({
        status: 304,
        body: null,
        headers: { etag: '"a"', 'content-length': '1000' },
      });
    }
  });

  test('one that nobody asked for, on an idle connection, is nobody’s', async () => {
    await using server = await RawServer.start(answering(OK));
    await using sender = new Sender();
    await sender.get(server.url());
    const [idle] = server.sockets;
    idle!.write(OK.replace('ok', 'no'));
    await waitFor(() => idle!.destroyed || idle!.readableEnded);
    expect(await sender.get(server.url())).toMatchObject({ body: 'ok' });
    expect(server.sockets).toHaveLength(2);
  });
});

describe('without end', () => {
  const TIMEOUT = { type: 'TimeoutError', phase: 'sent', transient: true };

  test.each([
    ['1xx', '', 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'.repeat(100), TIMEOUT],
    ['body', `${HEAD}\r\n`, 'x'.repeat(10_000), { type: 'ResponseTooLargeError' }],
    [
      'chunks',
      `${HEAD}transfer-encoding: chunked\r\n\r\n`,
      '1\r\nx\r\n'.repeat(1000),
      { type: 'ResponseTooLargeError' },
    ],
    ['headers', HEAD, 'a: b\r\n'.repeat(100), { type: 'ResponseTooLargeError' }],
    ['header', `${HEAD}x: `, 'x'.repeat(1000), { type: 'ResponseTooLargeError' }],
    ['header name', HEAD, 'x'.repeat(1000), { type: 'ResponseTooLargeError' }],
    [
      'trailers',
      `${HEAD}transfer-encoding: chunked\r\n\r\n0\r\n`,
      'a: b\r\n'.repeat(100),
      { type: 'ResponseTooLargeError' },
    ],
    ['reason', 'HTTP/1.1 200 ', 'x'.repeat(1000), TIMEOUT],
    ['chunk extension', `${HEAD}transfer-encoding: chunked\r\n\r\n1;a=`, 'x'.repeat(1000), TIMEOUT],
    ['line breaks before it', '', '\r\n'.repeat(1000), TIMEOUT],
  ])('%s', async (_name, first, piece, { type }) => {
    await using server = await RawServer.start((socket) => flood(socket, first, piece));
    await using sender = new Sender();
    const error = await sender.fail({
      url: server.url(),
      timeout: type === TIMEOUT.type ? 1_000 : 20_000,
      maxResponseSize: 100_000,
    });
    expect(error).toMatchObject({ type, phase: 'sent' });
    // What the kernel buffers on the way, and no more.
    const { bytesWritten } = server.sockets[0]!;
    if (type !== TIMEOUT.type) expect(bytesWritten).toBeLessThan(16_000_000);
    // Nothing is read any more.
    await waitFor(() => server.sockets[0]!.destroyed);
    await stillWorks(sender);
  });

  test.each([
    [
      'headers',
      'HTTP/1.1 200 OK\r\nx: ',
      { firstByteTimeout: 800 },
      /no response after 800 ms \(firstByteTimeout\)/,
    ],
    [
      'headers, the whole try',
      'HTTP/1.1 200 OK\r\nx: ',
      { timeout: 800 },
      /not finished after 800 ms \(timeout\)/,
    ],
    [
      'body',
      `${HEAD}content-length: 1000\r\n\r\n`,
      { timeout: 800 },
      /not finished after 800 ms \(timeout\)/,
    ],
  ])('byte by byte: %s', async (_name, first, limits, message) => {
    await using server = await RawServer.start((socket) => {
      socket.once('data', () => {
        socket.write(first);
        const drip = setInterval(() => socket.write('x'), 20);
        socket.once('close', () => clearInterval(drip));
      });
    });
    await using sender = new Sender();
    const error = await sender.fail({ url: server.url(), ...limits });
    expect(error).toMatchObject(TIMEOUT);
    expect(error.message).toMatch(message);
    await waitFor(() => server.sockets[0]!.destroyed);
  });
});
