import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { areUtf8, HeldBody, withoutMark } from '../../src/http/large-body.ts';
import { ReceivedBody } from '../../src/http/received-body.ts';
import { startTargetServer, type TargetServer } from '../../src/testing/target-server.ts';
import { Sender } from './support.ts';

const LARGE = 2_000_000;

/** The bytes in pieces of these sizes, over and over. */
function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunks.at(-1)!.length) {
    chunks.push(bytes.subarray(at, at + sizes[chunks.length % sizes.length]!));
  }
  return chunks;
}

const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 });
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('"', '\\', '\n', '\u0000', '\u007f', '\u2028', 'ß', '世', '😀'),
  }),
);
const json = (body: HeldBody): Buffer =>
  Buffer.concat(Array.from(body.jsonPieces(), (piece) => Buffer.from(piece)));

describe('wherever its pieces are cut', () => {
  test('text is what JSON has between its quotes', () => {
    fc.assert(
      fc.property(text, sizes, (value, at) => {
        const body = new HeldBody(cut(Buffer.from(value), at), true);
        expect(json(body).toString()).toBe(JSON.stringify(value).slice(1, -1));
        expect(body.jsonLength).toBe(json(body).length);
        expect(body.text()).toBe(value);
        expect(JSON.stringify(body)).toBe(JSON.stringify(value));
      }),
    );
  });

  test('bytes are one base64', () => {
    fc.assert(
      fc.property(fc.uint8Array(), sizes, fc.integer({ min: 0, max: 50 }), (value, at, length) => {
        const bytes = Buffer.from(value);
        const body = new HeldBody(cut(bytes, at), false);
        expect(json(body).toString()).toBe(bytes.toString('base64'));
        expect(body.jsonLength).toBe(json(body).length);
        expect(body.start(length)).toBe(bytes.toString('base64').slice(0, length));
      }),
    );
  });

  test('for the last time, and then only its start is left', () => {
    for (const isText of [true, false]) {
      const [kept, body] = [1, 2].map(
        () => new HeldBody(cut(Buffer.from('ß"'.repeat(5_000)), [1_000]), isText),
      );
      const last = Array.from(body!.lastPieces(), (piece) => Buffer.from(piece));
      expect(Buffer.concat(last).equals(json(kept!))).toBe(true);
      expect([...body!.jsonPieces()]).toEqual([]);
      expect(body!.jsonLength).toBe(kept!.jsonLength);
      expect(body!.start(3_000)).toBe(kept!.start(3_000));
    }
  });

  test('as it arrives, and the memory of each piece goes with it', () => {
    const value = Buffer.from(`"ß${'世😀'.repeat(200_000)}`);
    for (const isText of [true, false]) {
      const received = new ReceivedBody();
      for (const chunk of cut(value, [64_000, 1, 100_001, 700_000])) received.add(chunk);
      const chunks = received.take();
      expect(Buffer.concat(chunks).equals(value)).toBe(true);
      const body = new HeldBody(chunks, isText);
      const expected = json(new HeldBody([value], isText));
      const last = Array.from(body.lastPieces(), (piece) => Buffer.from(piece));
      expect(Buffer.concat(last).equals(expected)).toBe(true);
      expect(chunks.every(({ buffer }) => buffer.byteLength === 0)).toBe(true);
    }
  });

  test('UTF-8 is told from what is none', () => {
    const broken = fc.uint8Array().map((bytes) => Buffer.from(bytes));
    const whole = text.map((value) => Buffer.from(value));
    const clipped = whole.map((bytes) => bytes.subarray(0, -1));
    fc.assert(
      fc.property(fc.oneof(broken, whole, clipped), sizes, (bytes, at) => {
        expect(areUtf8(cut(bytes, at))).toBe(isUtf8(bytes));
      }),
    );
  });

  test('a byte order mark goes, once', () => {
    for (const size of [1, 2, 3, 4]) {
      const chunks = withoutMark(cut(Buffer.from('\ufeff\ufeffx'), [size]));
      expect(Buffer.concat([...chunks]).toString()).toBe('\ufeffx');
    }
  });

  test('what is taken out of it is gone, in text and in bytes', () => {
    for (const isText of [true, false]) {
      const body = new HeldBody(cut(Buffer.from('a secret ß'), [3]), isText);
      const cleaned = body.cleaned((all) => all.replace('secret', '*'));
      const expected = Buffer.from('a * ß');
      expect(cleaned.text()).toBe(expected.toString(isText ? 'utf8' : 'base64'));
      expect(body.cleaned((all) => all)).toBe(body);
    }
  });
});

describe('over a connection', () => {
  let target: TargetServer;
  let respond: { type: string; body: Buffer };

  beforeAll(async () => {
    target = await startTargetServer({
      handler: (_request, response) => {
        response.writeHead(200, { 'content-type': respond.type }).end(respond.body);
        return true;
      },
    });
  });
  afterAll(() => target?.close());

  const unit = 'Grüße, "世界"!\n';
  const long = unit.repeat(LARGE / unit.length);

  test.each<[string, Buffer, string, 'utf8' | 'base64']>([
    ['application/json', Buffer.from(long), long, 'utf8'],
    ['application/json', Buffer.from(`\ufeff${long}`), long, 'utf8'],
    ['text/plain; charset=utf-16le', Buffer.from(long, 'utf16le'), long, 'utf8'],
    [
      'text/plain; charset=iso-8859-1',
      Buffer.from('ß'.repeat(LARGE), 'latin1'),
      'ß'.repeat(LARGE),
      'utf8',
    ],
    [
      'text/plain',
      Buffer.alloc(LARGE, 0xff),
      Buffer.alloc(LARGE, 0xff).toString('base64'),
      'base64',
    ],
    ['image/png', Buffer.from(long), Buffer.from(long).toString('base64'), 'base64'],
  ])('%s', async (type, body, expected, bodyEncoding) => {
    respond = { type, body };
    await using sender = new Sender();
    const response = await sender.get(target.url('/'), { maxResponseSize: body.length });
    expect(response.bodyEncoding).toBe(bodyEncoding);
    expect(response.body === expected).toBe(true);
  });
});
