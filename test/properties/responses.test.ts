import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OK, RawServer, Sender, answering } from '../http/support.ts';

const HEAD = 'HTTP/1.1 200 OK\r\n';

test('random damage ends in a response or a known error, and harms nobody else', async () => {
  const answers = [
    OK,
    `${HEAD}transfer-encoding: chunked\r\n\r\n2\r\nok\r\n3;x=y\r\nabc\r\n0\r\nx: y\r\n\r\n`,
    `${HEAD}content-encoding: gzip\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 4\r\n\r\nabcd`,
    'HTTP/1.1 302 Found\r\nlocation: /there\r\ncontent-length: 0\r\n\r\n',
    `HTTP/1.1 103 Early\r\nlink: <x>\r\n\r\nHTTP/1.1 429 Slow\r\nretry-after: 1\r\nratelimit: "a";r=0;t=1\r\n\r\nx`,
  ];
  const damage = fc.record({
    answer: fc.constantFrom(...answers),
    changes: fc.array(
      fc.record({
        at: fc.nat(200),
        drop: fc.nat(3),
        put: fc.oneof(
          fc.string({
            unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
            maxLength: 3,
          }),
          fc.constantFrom('\r\n', '\r\n\r\n', '\n', ':', ' ', '0', '\0'),
        ),
      }),
      { maxLength: 4 },
    ),
    pieces: fc.integer({ min: 1, max: 3 }),
    end: fc.constantFrom('end', 'destroy', 'resetAndDestroy'),
  });
  let next = { text: '', pieces: 1, end: 'end' as 'end' | 'destroy' | 'resetAndDestroy' };
  await using server = await RawServer.start((socket) => {
    socket.on('data', () => {
      const { text, pieces, end } = next;
      const size = Math.ceil(text.length / pieces) || 1;
      for (let i = 0; i < text.length; i += size) {
        socket.write(Buffer.from(text.slice(i, i + size), 'latin1'));
      }
      setImmediate(() => socket[end]());
    });
  });
  await using sender = new Sender();
  const KNOWN =
    /^(ConnectionError|TimeoutError|ResponseTooLargeError|Redirect\w+Error|TooManyRedirectsError)$/;
  let responses = 0;
  await fc.assert(
    fc.asyncProperty(damage, async ({ answer, changes, pieces, end }) => {
      const text = changes.reduce(
        (sum, { at, drop, put }) => sum.slice(0, at) + put + sum.slice(at + drop),
        answer,
      );
      next = { text, pieces, end };
      const ended = await sender.get(server.url(), { timeout: 2_000, maxRedirects: 1 }).then(
        () => responses++,
        (error: unknown) => expect(error).toMatchObject({ type: expect.stringMatching(KNOWN) }),
      );
      expect(ended).not.toBeNull();
    }),
    { numRuns: 500 },
  );
  expect(responses).toBeGreaterThan(20);
  await using good = await RawServer.start(answering(OK));
  expect(await sender.get(good.url())).toMatchObject({ body: 'ok' });
});
