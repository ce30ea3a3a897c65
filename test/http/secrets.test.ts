import { mkdtemp, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { SecretSource } from '../../src/http/secret-source.ts';
import type { RequestSecrets } from '../../src/shared/resolved-request.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { RawServer, Sender } from './support.ts';

let target: TargetServer;

beforeAll(async () => {
  target = await startTargetServer();
});
afterAll(() => target.close());

const KEY = 'sk_live/q7+R&"9=z';
const known: Record<string, string> = { KEY, PASSWORD: 'open sesame', OTHER: 'sk_live/q7+R' };
const secrets: SecretSource = (name) => known[name];

function senderWith(source: SecretSource = secrets): Sender {
  const sender = new Sender({ secrets: source });
  onTestFinished(() => sender[Symbol.asyncDispose]());
  return sender;
}

function refs(given: Partial<RequestSecrets>): { secrets: RequestSecrets } {
  return { secrets: { headers: {}, params: {}, ...given } };
}

const bearer = refs({ headers: { authorization: { $secret: 'KEY', prefix: 'Bearer ' } } });

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'secrets-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

describe('on the wire', () => {
  test('a header holds the value behind its prefix', async () => {
    const before = target.hits.length;
    await senderWith().get(target.url('/status/200'), {
      ...bearer,
      headers: { 'x-plain': 'plain' },
    });
    expect(target.hits[before]!.headers).toMatchObject({
      authorization: `Bearer ${KEY}`,
      'x-plain': 'plain',
    });
  });

  test('a username makes Basic credentials', async () => {
    const before = target.hits.length;
    await senderWith().get(
      target.url('/status/200'),
      refs({ headers: { authorization: { $secret: 'PASSWORD', username: 'Aladdin' } } }),
    );
    // RFC 7617 §2
    expect(target.hits[before]!.headers.authorization).toBe('Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==');
  });

  test('a parameter is encoded and comes last', async () => {
    const before = target.hits.length;
    const response = await senderWith().get(target.url('/status/200?a=1'), {
      ...refs({ params: { key: { $secret: 'KEY' } } }),
      params: { b: 2 },
    });
    const hit = new URL(target.hits[before]!.path, target.origin);
    expect([...hit.searchParams]).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['key', KEY],
    ]);
    expect(response.url).toBe(target.url('/status/200?a=1&b=2'));
  });
});

describe('sources', () => {
  const authorization = async (sender: Sender, name = 'NAME'): Promise<string> => {
    const before = target.hits.length;
    await sender.get(
      target.url('/status/200'),
      refs({ headers: { authorization: { $secret: name } } }),
    );
    return target.hits[before]!.headers.authorization!;
  };

  test('a function is asked for each send', async () => {
    let sent = 0;
    const sender = senderWith(async () => `value-number-${++sent}`);
    expect(await authorization(sender)).toBe('value-number-1');
    expect(await authorization(sender)).toBe('value-number-2');
  });

  test('it is asked once for a name that is used twice', async () => {
    const source = vi.fn<SecretSource>(secrets);
    await senderWith(source).get(
      target.url('/status/200'),
      refs({ headers: { a: { $secret: 'KEY' }, b: { $secret: 'KEY' } } }),
    );
    expect(source.mock.calls).toEqual([['KEY']]);
  });

  test('a directory as Kubernetes mounts it: all files change with one symlink', async () => {
    const secretsDirectory = await temporaryDirectory();
    const mount = async (version: string, value: string): Promise<void> => {
      await mkdir(path.join(secretsDirectory, version));
      await writeFile(path.join(secretsDirectory, version, 'NAME'), value);
      await symlink(version, path.join(secretsDirectory, '..data_tmp'));
      await rename(
        path.join(secretsDirectory, '..data_tmp'),
        path.join(secretsDirectory, '..data'),
      );
    };
    await mount('..2026_01', 'first-value\n');
    await symlink('..data/NAME', path.join(secretsDirectory, 'NAME'));
    const sender = new Sender({ secretsDirectory });
    onTestFinished(() => sender[Symbol.asyncDispose]());
    expect(await authorization(sender)).toBe('first-value');
    await mount('..2026_02', 'second-value\r\n');
    expect(await authorization(sender)).toBe('second-value');
  });

  test('the function goes before the directory, the directory before the environment', async () => {
    const secretsDirectory = await temporaryDirectory();
    for (const name of ['A', 'B']) {
      await writeFile(path.join(secretsDirectory, name), `${name}-of-a-file`);
    }
    for (const name of ['A', 'B', 'C']) {
      vi.stubEnv(`PATIENT_SECRET_${name}`, `${name}-of-the-environment`);
    }
    onTestFinished(() => void vi.unstubAllEnvs());
    const sender = new Sender({
      secretsDirectory,
      secrets: (name) => (name === 'A' ? 'A-of-the-function' : undefined),
    });
    onTestFinished(() => sender[Symbol.asyncDispose]());
    expect(await authorization(sender, 'A')).toBe('A-of-the-function');
    expect(await authorization(sender, 'B')).toBe('B-of-a-file');
    expect(await authorization(sender, 'C')).toBe('C-of-the-environment');
  });
});

describe('nothing is sent', () => {
  test('for a name that no source has, and it is not tried again', async () => {
    vi.stubEnv('PATIENT_SECRET_EMPTY', '');
    onTestFinished(() => void vi.unstubAllEnvs());
    const sender = new Sender({ secretsDirectory: await temporaryDirectory() });
    onTestFinished(() => sender[Symbol.asyncDispose]());
    const before = target.total;
    for (const name of ['EMPTY', 'constructor']) {
      const error = await sender.fail({
        url: target.url('/echo?q=1'),
        ...refs({ headers: { authorization: { $secret: name } } }),
      });
      expect(error).toMatchObject({
        type: 'SecretNotFoundError',
        phase: 'prepare',
        transient: false,
        message: `GET ${target.url('/echo')}: secret ${name} is not known to the worker`,
      });
    }
    expect(target.total).toBe(before);
  });

  test('when a source fails; the next try may get it', async () => {
    const secretsDirectory = await temporaryDirectory();
    // A directory in a ring of symlinks cannot be read.
    await symlink('NAME', path.join(secretsDirectory, 'NAME'));
    const sender = new Sender({ secretsDirectory });
    onTestFinished(() => sender[Symbol.asyncDispose]());
    const file = await sender.fail({
      url: target.url('/echo'),
      ...refs({ params: { key: { $secret: 'NAME' } } }),
    });
    expect(file).toMatchObject({ type: 'UnknownError', phase: 'prepare', transient: true });
    expect(file.message).toContain('secret NAME could not be read (ELOOP)');

    const thrown = await senderWith(() => {
      throw new RangeError('vault is sealed');
    }).fail({ url: target.url('/echo'), ...bearer });
    expect(thrown).toMatchObject({ type: 'UnknownError', phase: 'prepare', transient: true });
    expect(thrown.message).toContain('secret KEY could not be read (RangeError)');
    // What a source says could hold what nobody knows yet to be secret.
    expect(thrown.cause).toBeUndefined();
  });

  test('when a source does not answer within the timeout', async () => {
    const before = target.total;
    const error = await senderWith(() => new Promise(() => {})).fail({
      url: target.url('/echo'),
      timeout: 50,
      ...bearer,
    });
    expect(error).toMatchObject({ type: 'TimeoutError', phase: 'prepare', transient: true });
    expect(target.total).toBe(before);
  });

  test('when it is aborted meanwhile', async () => {
    let answer: (value: string) => void = () => {};
    const abort = new AbortController();
    const sender = senderWith(() => new Promise((resolve) => (answer = resolve)));
    const before = target.total;
    const sent = sender.send({ url: target.url('/echo'), ...bearer }, { signal: abort.signal });
    abort.abort('cancelled');
    await expect(sent).rejects.toBe('cancelled');
    answer('too-late-for-that');
    await sender.get(target.url('/status/200'));
    expect(target.total).toBe(before + 1);
  });

  test.each([
    ['short', 'expected 8 to 8192 characters, got 5'],
    ['', 'got 0'],
    ['x'.repeat(8193), 'got 8193'],
    [12345678 as unknown as string, 'got a number'],
    ['two\r\nlines', 'headers.authorization: secret KEY has a line break'],
    ['snow ☃ man', 'headers.authorization: secret KEY has a line break, control or non-Latin-1'],
  ])('for a value that cannot be used: %o', async (value, message) => {
    const before = target.total;
    const error = await senderWith(() => value).fail({ url: target.url('/echo'), ...bearer });
    expect(error).toMatchObject({ type: 'InvalidRequestError', transient: false });
    expect(error.message).toContain(message);
    expect(target.total).toBe(before);
  });
});

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

test('a name that is a path is refused, also where a preprocessor asks for it', async () => {
  const directory = await temporaryDirectory();
  const sender = new Sender({
    secretsDirectory: directory,
    preprocessors: {
      async steal(_request, { secret }) {
        return { headers: { stolen: await secret('../../etc/hostname') } };
      },
    },
  });
  onTestFinished(() => sender[Symbol.asyncDispose]());
  const error = await sender.fail({ url: target.url('/echo'), preprocessors: ['steal'] });
  expect(error).toMatchObject({ type: 'InvalidRequestError' });
  expect(error.message).toContain('$secret: expected a name');
});
