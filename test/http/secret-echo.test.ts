import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { bearer, KEY, senderWith, refs } from './secret-sender.ts';
import { RawServer } from './support.ts';

let target: TargetServer;

beforeAll(async () => {
  target = await startTargetServer();
});
afterAll(() => target.close());

describe('an echo', () => {
  /** Answers with what it is given, raw. */
  const answer = async (head: string, body: string | Buffer, value = KEY, prefix = '') => {
    await using server = await RawServer.start((socket) => {
      socket.once('data', () => {
        socket.write(
          `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${head}\r\n`,
        );
        socket.end(body);
      });
    });
    return await senderWith(() => value).get(
      server.url(),
      refs({ headers: { authorization: { $secret: 'KEY', prefix } } }),
    );
  };

  test('of the whole request is taken out of the body', async () => {
    const response = await senderWith().get(target.url('/echo'), {
      secrets: {
        headers: {
          authorization: { $secret: 'KEY', prefix: 'Bearer ' },
          'x-basic': { $secret: 'PASSWORD', username: 'me' },
        },
        params: { key: { $secret: 'KEY' }, other: { $secret: 'OTHER' } },
      },
    });
    expect(JSON.parse(response.body!)).toMatchObject({
      url: '/echo?key=[secret KEY]&other=[secret OTHER]',
      headers: { authorization: ['Bearer [secret KEY]'], 'x-basic': ['Basic [secret PASSWORD]'] },
    });
  });

  test.each([
    ['as it is', KEY],
    ['URL-encoded', encodeURIComponent(KEY)],
    ['form-encoded', new URLSearchParams({ '': KEY }).toString().slice(1)],
    ['URL-encoded in part', encodeURI(KEY)],
    ['URL-encoded twice', encodeURIComponent(encodeURIComponent(KEY))],
    ['URL-encoded in lower case', encodeURIComponent(KEY).toLowerCase().replace('r', 'R')],
    ['JSON', JSON.stringify(KEY).slice(1, -1)],
    ['JSON with escaped slashes', JSON.stringify(KEY).slice(1, -1).replace('/', '\\/')],
    ['JSON in JSON', JSON.stringify(JSON.stringify(KEY)).slice(3, -3)],
    ['JSON that is safe in HTML', KEY.replace('"', '\\"').replace('&', '\\u0026')],
    ['HTML', KEY.replace('&', '&amp;').replace('"', '&quot;')],
    ['HTML by numbers', KEY.replace('&', '&#38;').replace('"', '&#x22;')],
    ['base64', Buffer.from(KEY).toString('base64')],
    ['base64url', Buffer.from(KEY).toString('base64url')],
  ])('%s', async (_form, echoed) => {
    const { body, headers } = await answer(
      `content-type: text/plain\r\nx-echo: <${echoed}>\r\n`,
      `begin ${echoed} end ${echoed}`,
    );
    expect(body).toBe('begin [secret KEY] end [secret KEY]');
    expect(headers['x-echo']).toBe('<[secret KEY]>');
  });

  test.each(['', 'u:', 'me:', 'you:'])('inside of base64, after %j', async (before) => {
    for (const after of ['', '!', '!!', '!!!']) {
      const encoded = Buffer.from(`${before}${KEY}${after}`).toString('base64');
      const { body } = await answer('', `<${encoded}>`);
      expect(body).toContain('[secret KEY]');
      const rest = body!.replace('[secret KEY]', '').replace(/[<>=]/g, '');
      // What is left belongs to the text around it.
      expect(rest.length).toBeLessThanOrEqual(Math.ceil(((before + after).length * 8) / 6));
    }
  });

  test('in every value of a repeated header', async () => {
    const { headers } = await answer(`x-a: 1\r\nx-a: ${KEY}\r\nset-cookie: k=${KEY}; b\r\n`, '');
    expect(headers).toMatchObject({
      'x-a': ['1', '[secret KEY]'],
      'set-cookie': 'k=[secret KEY]; b',
    });
  });

  test('in bytes that are no text', async () => {
    const bytes = Buffer.concat([Buffer.from([0, 255]), Buffer.from(KEY), Buffer.from([254, 10])]);
    const response = await answer('content-type: image/png\r\n', bytes);
    expect(response.bodyEncoding).toBe('base64');
    expect(Buffer.from(response.body!, 'base64')).toEqual(
      Buffer.from('\0\xff[secret KEY]\xfe\n', 'latin1'),
    );
  });

  test('of a value that is not ASCII', async () => {
    const value = 'Schlüssel für ß';
    const utf8 = await answer(
      'content-type: text/plain\r\nx-echo: Schlüssel für ß\r\n',
      value,
      value,
    );
    expect(utf8).toMatchObject({ body: '[secret KEY]', headers: { 'x-echo': '[secret KEY]' } });
    const latin1 = Buffer.from(value, 'latin1');
    const other = await answer('content-type: text/plain; charset=latin1\r\n', latin1, value);
    expect(other.body).toBe('[secret KEY]');
    const binary = await answer('content-type: a/b\r\n', Buffer.from(`\0${value}`), value);
    expect(Buffer.from(binary.body!, 'base64').toString('latin1')).toBe('\0[secret KEY]');
    const encoded = await answer('', encodeURIComponent(value), value);
    expect(encoded.body).toBe('[secret KEY]');
    const json = await answer('', 'Schl\\u00fcssel f\\u00FCr \\u00df', value);
    expect(json.body).toBe('[secret KEY]');
  });

  test.each([String.raw`C:\secret "x"\\y\ü`, String.raw`\\\\\\\\`, 'line\none\r\ttwo\\'])(
    'of backslashes and line ends: %j',
    async (value) => {
      // Not into a header, which holds no line end.
      const echo = async (body: string) => {
        const name = `/status/200?body=${encodeURIComponent(`<${body}>`)}`;
        const refs = { headers: {}, params: { key: { $secret: 'KEY' } } };
        return (await senderWith(() => value).get(target.url(name), { secrets: refs })).body;
      };
      const json = JSON.stringify(value).slice(1, -1);
      const ascii = json.replace('ü', String.raw`\u00fc`);
      for (const form of [value, json, ascii, encodeURIComponent(value)]) {
        expect(await echo(form)).toBe('<[secret KEY]>');
      }
    },
  );

  test('is looked for in a time that a server cannot stretch', async () => {
    const value = `${String.raw`\ \"`.repeat(20)}x`;
    const texts = [
      String.raw`\\\\ \\\\"`.repeat(5000),
      '\\'.repeat(100_000),
      '%25'.repeat(100_000),
    ];
    for (const text of texts) expect((await answer('', text, value)).body).toBe(text);
  });

  test('of the prefix alone is none, and what is no echo stays', async () => {
    const text = 'Bearer sk_live/q7+ R"9=z '.repeat(1000);
    expect((await answer('', text, KEY, 'Bearer ')).body).toBe(text);
  });

  test('of one value that holds another', async () => {
    const both = refs({ headers: { a: { $secret: 'OTHER' }, b: { $secret: 'KEY' } } });
    const { body } = await senderWith().get(
      target.url(`/status/200?body=${encodeURIComponent(KEY)}`),
      both,
    );
    expect(body).toBe('[secret KEY]');
  });

  test('in the text of an error', async () => {
    const path = `/redirect-to?url=${encodeURIComponent(`ftp://api.test/${KEY}`)}`;
    const error = await senderWith().fail({ url: target.url(path), ...bearer });
    expect(error).toMatchObject({ type: 'RedirectRefusedError' });
    const gone = await senderWith().fail({ url: `http://127.0.0.1:1/x/${KEY}`, ...bearer });
    expect(gone.message).toContain('GET http://127.0.0.1:1/x/[secret KEY]: connection refused');
  });

  test('in the cause of an error', async () => {
    await using server = await RawServer.start((socket) => {
      socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nBad Header ${KEY}\r\n\r\n`));
    });
    const error = await senderWith().fail({ url: server.url(), ...bearer });
    expect(error).toMatchObject({ type: 'ConnectionError' });
    expect(JSON.stringify(error.cause, Object.getOwnPropertyNames(error.cause))).not.toContain(KEY);
    expect(error.cause).toMatchObject({ name: 'HTTPParserError' });
  });
});

test('a value of 8,000 characters that all can be escaped is sent, and taken out of the answer', async () => {
  const long = '/+=&%;#?'.repeat(1_000);
  const response = await senderWith(() => long).get(
    target.url('/echo'),
    refs({ headers: { 'x-long': { $secret: 'LONG' } } }),
  );
  expect(response.status).toBe(200);
  expect(response.body).toContain('[secret LONG]');
  expect(response.body).not.toContain('/+=&%;#?');
});
