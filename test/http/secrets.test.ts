import { mkdtemp, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { SecretSource } from '../../src/http/secret-source.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { bearer, KEY, secrets, senderWith, refs } from './secret-sender.ts';
import { Sender } from './support.ts';

let target: TargetServer;

beforeAll(async () => {
  target = await startTargetServer();
});
afterAll(() => target.close());

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
