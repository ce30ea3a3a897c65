import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MultipartPart } from '../../src/shared/wire.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { Sender } from './support.ts';

let target: TargetServer;
let sender: Sender;

beforeAll(async () => {
  target = await startTargetServer();
  sender = new Sender();
});
afterAll(async () => {
  await sender[Symbol.asyncDispose]();
  await target.close();
});

async function send(value: MultipartPart[], url = target.url('/echo')) {
  const body = { kind: 'multipart', value } as const;
  const echo = JSON.parse((await sender.send({ url, method: 'PUT', body })).body!) as {
    headers: Record<string, string[]>;
    bodyBase64: string;
  };
  const type = echo.headers['content-type']![0]!;
  return { echo, type, bytes: Buffer.from(echo.bodyBase64, 'base64') };
}

/** As another implementation reads it. */
async function parsed(parts: MultipartPart[]): Promise<[string, string | File][]> {
  const { bytes, type } = await send(parts);
  return [...(await new Response(bytes, { headers: { 'content-type': type } }).formData())];
}

test('fields, files and JSON arrive as they are', async () => {
  const binary = Buffer.from([0, 13, 10, 45, 45, 255]);
  const form = await parsed([
    { name: 'text', value: 'a\r\nü' },
    { name: 'empty', value: '' },
    { name: 'text', value: 'again' },
    { name: 'binary', valueBase64: binary.toString('base64'), filename: 'grüße.bin' },
    { name: 'report', value: 'x', filename: 'r.txt', contentType: 'text/plain; charset=utf-8' },
    { name: 'meta "1"', json: { a: [null] } },
  ]);
  expect(form.map(([name]) => name)).toEqual([
    ...['text', 'empty', 'text', 'binary', 'report', 'meta "1"'],
  ]);
  const [text, empty, again, file, report, meta] = form.map(([, value]) => value);
  expect([text, empty, again, meta]).toEqual(['a\r\nü', '', 'again', '{"a":[null]}']);
  expect(file).toMatchObject({ name: 'grüße.bin', type: 'application/octet-stream' });
  expect(Buffer.from(await (file as File).arrayBuffer())).toEqual(binary);
  expect(report).toMatchObject({ name: 'r.txt', size: 1 });
});

test('types: none for text, JSON for json, bytes for the rest', async () => {
  const { bytes } = await send([
    { name: 'a', value: '1' },
    { name: 'b', json: null },
    { name: 'c', valueBase64: '' },
    { name: 'd', value: '4', filename: 'd' },
    { name: 'e', json: 5, contentType: 'application/problem+json' },
  ]);
  const heads = bytes.toString().split(/--patient-http-.{24}/);
  expect(heads.map((head) => /Content-Type: (.*)\r\n/.exec(head)?.[1])).toEqual([
    ...[undefined, undefined, 'application/json', 'application/octet-stream'],
    ...['application/octet-stream', 'application/problem+json', undefined],
  ]);
});

test('quotes end no name', async () => {
  const { bytes } = await send([{ name: 'a"; filename="x', value: '', filename: 'b"\\c' }]);
  expect(bytes.toString()).toContain(
    'form-data; name="a%22; filename=%22x"; filename="b%22\\c"\r\n',
  );
});

test('each send has a boundary of its own and the same size', async () => {
  const parts = [{ name: 'a', value: 'b' }];
  const [first, second] = [await send(parts), await send(parts)];
  expect(first.type).toMatch(/^multipart\/form-data; boundary=patient-http-[\w-]{24}$/);
  expect(second.type).not.toBe(first.type);
  expect(second.bytes.length).toBe(first.bytes.length);
});

test('a redirect that keeps the body sends it again', async () => {
  const url = target.url('/redirect-to?status=307&url=/echo');
  const { bytes, type } = await send([{ name: 'a', value: 'b' }], url);
  expect(bytes.toString()).toContain(type.split('=')[1]!);
});
