import type { IncomingMessage, ServerResponse } from 'node:http';
import zlib from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ResolvedRequest } from '../../src/shared/resolved-request.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { RawServer, Sender, answering, type Received } from './support.ts';

let target: TargetServer;
let sender: Sender;
let respond: (response: ServerResponse, request: IncomingMessage) => void;

beforeAll(async () => {
  target = await startTargetServer({
    handler(request, response) {
      if (request.url !== '/custom') return false;
      respond(response, request);
      return true;
    },
  });
});
beforeEach(() => {
  sender = new Sender();
  return () => sender[Symbol.asyncDispose]();
});
afterAll(() => target.close());

async function answerWith(
  headers: Record<string, string | string[]>,
  body: Buffer | string,
  request: Partial<ResolvedRequest> = {},
): Promise<Received> {
  respond = (response) => void response.writeHead(200, headers).end(body);
  return sender.get(target.url('/custom'), request);
}

const text = 'Grüße, 世界! '.repeat(1000);

describe('content encoding', () => {
  const encoders: [string, (data: Buffer) => Buffer][] = [
    ['gzip', zlib.gzipSync],
    ['x-gzip', zlib.gzipSync],
    ['GZIP', zlib.gzipSync],
    ['deflate', zlib.deflateSync],
    ['deflate', zlib.deflateRawSync],
    ['br', zlib.brotliCompressSync],
    ['gzip, br', (data) => zlib.brotliCompressSync(zlib.gzipSync(data))],
    ['deflate, gzip', (data) => zlib.gzipSync(zlib.deflateRawSync(data))],
    ['identity, gzip', zlib.gzipSync],
  ];

  test.each(encoders)('%s', async (encoding, encode) => {
    const encoded = encode(Buffer.from(text));
    const response = await answerWith(
      {
        'content-type': 'text/plain',
        'content-encoding': encoding,
        'content-length': String(encoded.length),
        etag: '"x"',
      },
      encoded,
    );
    expect(response.body).toBe(text);
    expect(response.bodyEncoding).toBe('utf8');
    expect(response.headers).toMatchObject({ etag: '"x"', 'content-type': 'text/plain' });
    expect(response.headers).not.toHaveProperty('content-encoding');
    expect(response.headers).not.toHaveProperty('content-length');
  });

  test.each(encoders)('%s, byte by byte, larger than any buffer', async (encoding, encode) => {
    const encoded = encode(Buffer.from(text));
    respond = (response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': encoding });
      for (const byte of encoded.subarray(0, 50)) response.write(Buffer.from([byte]));
      response.end(encoded.subarray(50));
    };
    expect((await sender.get(target.url('/custom'))).body).toBe(text);
  });

  test('several header lines', async () => {
    const body = zlib.brotliCompressSync(zlib.gzipSync('both'));
    const headers = { 'content-type': 'text/plain', 'content-encoding': ['gzip', 'br'] };
    expect((await answerWith(headers, body)).body).toBe('both');
  });

  test('counts the encoded bytes', async () => {
    let bytes = 0;
    const encoded = zlib.gzipSync(text);
    respond = (response) =>
      void response.writeHead(200, { 'content-encoding': 'gzip' }).end(encoded);
    const onBytes = (count: number): void => void (bytes += count);
    await sender.send({ url: target.url('/custom') }, { onBytes });
    expect(bytes).toBe(encoded.length);
  });

  test('an unknown one stays as it is', async () => {
    const headers = { 'content-type': 'text/plain', 'content-encoding': 'gzip, aws-chunked' };
    const response = await answerWith(headers, Buffer.from([0x1f, 0x8b, 0xff]));
    expect(response).toMatchObject({ bodyEncoding: 'base64', body: 'H4v/' });
    expect(response.headers['content-encoding']).toBe('gzip, aws-chunked');
  });

  test('nothing, encoded twice', async () => {
    const body = zlib.gzipSync(zlib.gzipSync(''));
    const headers = { 'content-type': 'text/plain', 'content-encoding': 'gzip, gzip' };
    expect(await answerWith(headers, body)).toMatchObject({ body: '' });
    const empty = await answerWith(headers, zlib.gzipSync(''));
    expect(empty).toMatchObject({ body: '', bodyEncoding: 'utf8' });
  });

  test('an empty body needs no decoding', async () => {
    const headers = { 'content-type': 'text/plain', 'content-encoding': 'gzip' };
    expect(await answerWith(headers, '')).toMatchObject({ body: '', bodyEncoding: 'utf8' });
  });

  test.each([
    ['garbage', 'gzip', Buffer.from('this is not gzip')],
    ['garbage', 'deflate', Buffer.from('\xff\xff not deflate', 'latin1')],
    ['garbage', 'br', Buffer.from('\xff\xff\xff\xff\xff', 'latin1')],
    ['cut short', 'gzip', zlib.gzipSync(text).subarray(0, -9)],
    ['cut short', 'deflate', zlib.deflateSync(text).subarray(0, -9)],
    ['cut short', 'deflate', zlib.deflateRawSync(text).subarray(0, -9)],
    ['cut short', 'br', zlib.brotliCompressSync(text).subarray(0, -9)],
    ['wrong inside', 'gzip, br', zlib.brotliCompressSync('not gzip')],
  ])('%s %s', async (_what, encoding, body) => {
    respond = (response) =>
      void response.writeHead(200, { 'content-encoding': encoding }).end(body);
    const error = await sender.fail({ url: target.url('/custom') });
    expect(error).toMatchObject({ type: 'ConnectionError', phase: 'sent', transient: true });
    expect(error.message).toContain(`response body is not valid ${encoding}`);
    expect(error.cause).toBeInstanceOf(Error);
  });
});

describe('size', () => {
  const tooLarge = { type: 'ResponseTooLargeError', phase: 'sent', transient: false };

  test.each(['/bytes/1000', '/bytes/1000?chunked'])(
    'equal passes, larger fails: %s',
    async (path) => {
      const url = target.url(path);
      expect((await sender.get(url, { maxResponseSize: 1000 })).body).toHaveLength(1000);
      const error = await sender.fail({ url, maxResponseSize: 999 });
      expect(error).toMatchObject(tooLarge);
      expect(error.message).toContain('larger than 999 bytes');
    },
  );

  test('a content-length above the limit fails before the body is read', async () => {
    await using server = await RawServer.start(
      answering('HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n'),
    );
    expect(await sender.fail({ url: server.url(), maxResponseSize: 1000 })).toMatchObject(tooLarge);
  });

  test('an endless body is cut off', async () => {
    let closed = false;
    respond = (response) => {
      const more = (): void => {
        while (!closed && response.write(Buffer.alloc(10_000)));
      };
      response.on('drain', more).once('close', () => (closed = true));
      more();
    };
    const error = await sender.fail({ url: target.url('/custom'), maxResponseSize: 50_000 });
    expect(error).toMatchObject(tooLarge);
    await target.waitFor(({ hits }) => hits.at(-1)!.aborted);
  });

  test.each([
    ['gzip', zlib.gzipSync],
    ['deflate', zlib.deflateRawSync],
    ['br', zlib.brotliCompressSync],
    ['gzip, gzip', (data: Buffer) => zlib.gzipSync(zlib.gzipSync(data))],
  ])('decoded bytes count: %s', async (encoding, encode) => {
    const headers = { 'content-encoding': encoding, 'content-type': 'text/plain' };
    const exact = encode(Buffer.alloc(100_000, 'x'));
    expect((await answerWith(headers, exact, { maxResponseSize: 100_000 })).body).toHaveLength(
      100_000,
    );
    const error = await sender.fail({ url: target.url('/custom'), maxResponseSize: 99_999 });
    expect(error).toMatchObject(tooLarge);
  });

  test('an encoded content-length may be above the limit', async () => {
    const encoded = zlib.gzipSync('tiny');
    const headers = { 'content-encoding': 'gzip', 'content-length': String(encoded.length) };
    expect(encoded.length).toBeGreaterThan(4);
    expect((await answerWith(headers, encoded, { maxResponseSize: 4 })).body).toBe('tiny');
  });

  test('a bomb is not unpacked beyond the limit', async () => {
    const bomb = zlib.gzipSync(zlib.gzipSync(Buffer.alloc(300_000_000)));
    respond = (response) =>
      void response.writeHead(200, { 'content-encoding': 'gzip, gzip' }).end(bomb);
    const before = process.memoryUsage.rss();
    expect(await sender.fail({ url: target.url('/custom') })).toMatchObject(tooLarge);
    expect(process.memoryUsage.rss() - before).toBeLessThan(100_000_000);
  });

  test('encoded data that holds nothing does not pile up', async () => {
    const flushes = Buffer.from('000000ffff'.repeat(10_000), 'hex'); // empty blocks
    respond = (response) => {
      response.writeHead(200, { 'content-encoding': 'deflate' });
      for (let i = 0; i < 1_000; i++) response.write(flushes);
    };
    const error = await sender.fail({ url: target.url('/custom'), maxResponseSize: 1_000 });
    expect(error).toMatchObject(tooLarge);
  });

  test('headers beyond what Node takes', async () => {
    await using server = await RawServer.start(
      answering(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`),
    );
    expect(await sender.fail({ url: server.url() })).toMatchObject(tooLarge);
  });
});

describe('text', () => {
  const utf8 = { body: 'grüß', bodyEncoding: 'utf8' };
  const bytes = Buffer.from('grüß');
  const latin1 = Buffer.from('grüß', 'latin1');
  const raw = { body: latin1.toString('base64'), bodyEncoding: 'base64' };

  test.each([
    'text/plain',
    'text/html; charset=UTF-8',
    'text/event-stream',
    'text/csv; charset="utf-8"',
    'application/json',
    'Application/JSON;odata=verbose',
    'application/problem+json',
    'application/atom+xml',
    'image/svg+xml',
    'application/xml',
    'application/javascript',
    'application/x-ndjson',
    'application/x-www-form-urlencoded',
    'nonsense',
    undefined,
  ])('UTF-8 as %s', async (type) => {
    expect(
      await answerWith(type === undefined ? {} : { 'content-type': type }, bytes),
    ).toMatchObject(utf8);
    expect(
      await answerWith(type === undefined ? {} : { 'content-type': type }, latin1),
    ).toMatchObject(raw);
  });

  test.each(['application/octet-stream', 'image/png', 'application/pdf; charset=utf-8'])(
    '%s is base64 whatever it holds',
    async (type) => {
      expect(await answerWith({ 'content-type': type }, bytes)).toMatchObject({
        body: bytes.toString('base64'),
        bodyEncoding: 'base64',
      });
    },
  );

  test.each([
    ['iso-8859-1', latin1],
    ['ISO-8859-15', latin1],
    ['windows-1252', latin1],
    ['utf-16le', Buffer.from('grüß', 'utf16le')],
  ])('charset=%s', async (charset, encoded) => {
    const headers = { 'content-type': `text/plain; charset=${charset}` };
    expect(await answerWith(headers, encoded)).toMatchObject(utf8);
  });

  test.each([
    ['unknown', 'x-klingon', bytes],
    ['empty', '', latin1],
    ['wrong', 'utf-8', latin1],
    ['wrong', 'shift_jis', Buffer.from([0x81])],
  ])('an %s charset is base64: %s', async (_what, charset, body) => {
    expect(
      await answerWith({ 'content-type': `text/plain; charset=${charset}` }, body),
    ).toMatchObject({
      body: body.toString('base64'),
      bodyEncoding: 'base64',
    });
  });

  test('a byte order mark is no part of the text', async () => {
    const marked = Buffer.from('\ufeff{"a":1}');
    const json = await answerWith({ 'content-type': 'application/json' }, marked);
    expect(json.body).toBe('{"a":1}');
    const inside = await answerWith({ 'content-type': 'text/plain' }, Buffer.from('a\ufeffb'));
    expect(inside.body).toBe('a\ufeffb');
    const binary = await answerWith({ 'content-type': 'application/octet-stream' }, marked);
    expect(Buffer.from(binary.body!, 'base64')).toEqual(marked);
  });
});

describe('shape', () => {
  test('no body where HTTP allows none', async () => {
    for (const status of [204, 304]) {
      expect(await sender.get(target.url(`/status/${status}`))).toMatchObject({
        status,
        body: null,
      });
    }
    expect(await sender.get(target.url('/status/200'))).toMatchObject({ status: 200, body: '' });
  });

  test('HEAD: no body, headers untouched, no limit', async () => {
    respond = (response) =>
      void response
        .writeHead(200, { 'content-encoding': 'gzip', 'content-length': '123456789' })
        .end();
    const response = await sender.get(target.url('/custom'), { method: 'HEAD' });
    expect(response).toMatchObject({
      status: 200,
      method: 'HEAD',
      body: null,
      headers: { 'content-encoding': 'gzip', 'content-length': '123456789' },
    });
  });

  test('headers in lower case, repeated ones as arrays', async () => {
    await using server = await RawServer.start(
      answering(
        'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-One: 1, 2\r\nset-cookie: b=2\r\n' +
          '__proto__: polluted\r\nconstructor: x\r\nContent-Length: 0\r\n\r\n',
      ),
    );
    const { headers } = await sender.get(server.url());
    expect(JSON.parse(JSON.stringify(headers))).toEqual(
      JSON.parse(
        '{"set-cookie":["a=1","b=2"],"x-one":"1, 2","__proto__":"polluted","constructor":"x","content-length":"0"}',
      ),
    );
  });

  test('any status is a response', async () => {
    for (const status of [200, 201, 400, 404, 418, 500, 503, 599]) {
      expect((await sender.get(target.url(`/status/${status}?body=x`))).status).toBe(status);
    }
  });

  test('the URL has its query', async () => {
    const response = await sender.get(target.url('/status/200?a=1'), { params: { b: 2 } });
    expect(response).toMatchObject({
      url: target.url('/status/200?a=1&b=2'),
      method: 'GET',
      redirects: [],
      advice: { retryAfter: undefined, shouldRetry: undefined },
    });
  });

  test('informational responses are skipped', async () => {
    await using server = await RawServer.start(
      answering(
        'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
      ),
    );
    const response = await sender.get(server.url());
    expect(response).toMatchObject({ status: 200, body: 'ok' });
    expect(response.headers).not.toHaveProperty('link');
  });
});
