/* The stores by themselves, on a real folder, redis-server and S3 server. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { defaultPayloadConverter } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveOptions } from '../../src/config/options.ts';
import { PatientPlugin, type PatientOptions } from '../../src/index.ts';
import { FileStore } from '../../src/payload/file-store.ts';
import { PatientCodec } from '../../src/payload/patient-codec.ts';
import { RedisStore } from '../../src/payload/redis-store.ts';
import { S3Store } from '../../src/payload/s3-store.ts';
import { claimId } from '../../src/payload/store.ts';
import { ConfigError } from '../../src/shared/errors.ts';
import type { PayloadStore } from '../../src/shared/payload-store.ts';
import { startEnvironment } from '../support/environment.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { startS3, type S3Server } from '../support/s3.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';
import { rejection } from '../temporal/support/outcomes.ts';
import { A, B, temporaryFolder, type Folder } from './support.ts';

const DAY = 24 * 3_600_000;

let folder: Folder;
let redis: RedisServer;
let s3: S3Server;

beforeAll(async () => {
  [folder, redis, s3] = await Promise.all([temporaryFolder(), startRedis(), startS3()]);
  await s3.createBucket('payloads');
}, 360_000);
afterAll(async () => {
  await Promise.all([folder, redis, s3].map((each) => each?.[Symbol.asyncDispose]()));
});

const stores: [string, () => PayloadStore][] = [
  ['file', () => new FileStore(folder.url)],
  ['redis', () => new RedisStore(redis.url, undefined)],
  ['s3', () => new S3Store(s3.url('payloads', 'some/where'))],
];

describe.each(stores)('%s', (_name, open) => {
  test('gives back what it was given, also to another process, and twice', async () => {
    const [store, other] = [open(), open()];
    await store.check!('read');
    await store.check!('write');
    await store.check!('read');
    for (const size of [0, 1, 5_000_000]) {
      const bytes = crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)));
      const large = Buffer.concat(Array.from({ length: Math.ceil(size / 65_536) }, () => bytes));
      const id = await claimId(large);
      await Promise.all([store.put(id, large), other.put(id, large)]);
      expect(large.equals((await other.get(id))!)).toBe(true);
      expect(large.equals((await store.get(id))!)).toBe(true);
    }
  });

  test('what is not there is undefined, not an error', async () => {
    expect(await open().get(await claimId(Buffer.from('never stored')))).toBeUndefined();
  });
});

describe('file', () => {
  test('a file is whole or not there: nothing unfinished is left, nothing readable by others', async () => {
    const id = await claimId(Buffer.from('x'));
    await new FileStore(folder.url).put(id, Buffer.from('x'));
    expect(await readdir(join(folder.path, 'unfinished'))).toEqual([]);
    const [day = '', digest = ''] = id.split('/');
    const { mode } = await stat(join(folder.path, day, digest.slice(0, 2), digest.slice(2)));
    expect(mode & 0o777).toBe(0o600);
  });

  test('one that is away is not made anew, for it may be a mount', async () => {
    const path = join(folder.path, 'mounted');
    const store = new FileStore(`${folder.url}/mounted`);
    const id = await claimId(Buffer.from('x'));
    await store.put(id, Buffer.from('x'));
    await rm(path, { recursive: true });
    expect(((await rejection(store.put(id, Buffer.from('x')))) as NodeJS.ErrnoException).code).toBe(
      'ENOENT',
    );
    expect(await readdir(folder.path)).not.toContain('mounted');
  });

  test('whoever only reads writes nothing, and finds that it is there', async () => {
    await using empty = await temporaryFolder();
    await codecOn(empty.url).check('read');
    expect(await readdir(empty.path)).toEqual([]);
    const error = await rejection(codecOn(`${empty.url}/none`).check('read'));
    expect(error.message).toContain('/none cannot be used: ENOENT');
  });

  test('several delete at once what is old, one that has stored nothing too', async () => {
    await using own = await temporaryFolder();
    await new FileStore(own.url).expire('2030-01-01');
    const days = Array.from({ length: 20 }, (_, i) => `2020-01-${String(i + 10)}`);
    const store = new FileStore(own.url);
    for (const day of days) await store.put(`${day}/${'a'.repeat(64)}`, Buffer.from('x'));
    const left = Array.from({ length: 200 }, (_, i) => join(own.path, 'unfinished', String(i)));
    await Promise.all(left.map((path) => writeFile(path, '').then(() => utimes(path, 0, 0))));
    await Promise.all(Array.from({ length: 5 }, () => new FileStore(own.url).expire('2030-01-01')));
    expect(await readdir(own.path)).toEqual(['unfinished']);
    expect(await readdir(join(own.path, 'unfinished'))).toEqual([]);
  });

  test('a path that cannot be written is refused at the start', async () => {
    await writeFile(join(folder.path, 'file'), '');
    const error = await checked(`${folder.url}/file`);
    expect(error.message).toMatch(/^payloadStore: file:.*\/file cannot be used: E(NOTDIR|EXIST)/);
  });
});

describe('redis', () => {
  test('keys of its own, which live as long as they may, and longer when stored again', async () => {
    const store = new RedisStore(redis.url, 2 * DAY);
    const id = await claimId(Buffer.from('aged'));
    await store.put(id, Buffer.from('aged'));
    const key = `patient:payload:${id}`;
    expect(await redis.redis.pttl(key)).toBeGreaterThan(DAY);
    await redis.redis.pexpire(key, 1000);
    await store.put(id, Buffer.from('aged'));
    expect(await redis.redis.pttl(key)).toBeGreaterThan(DAY);
  });

  test('closes its connection when it is not used, and opens it again', async () => {
    const store = new RedisStore(redis.url, undefined);
    for (let i = 0; i < 2; i++) {
      // The test's own is the one.
      await waitFor(async () => (await clients()) === 1);
      await store.check('read');
      expect(await clients()).toBe(2);
    }
  });

  test('one that cannot be reached, or wants a password, is refused at the start', async () => {
    expect((await checked('redis://:hush@127.0.0.1:1/0')).message).toMatch(
      /^payloadStore: redis:\/\/127\.0\.0\.1:1\/0 cannot be used: /,
    );
  });

  test('a replica can be read, and is refused to whoever writes', async () => {
    await using replica = await startRedis();
    await replica.redis.replicaof('127.0.0.1', '1');
    await codecOn(replica.url).check('read');
    expect((await checked(replica.url)).message).toContain('cannot be used: READONLY');
    await replica.redis.replicaof('NO', 'ONE');
  });

  test('a user without the right to write, too', async () => {
    const rules = ['~patient:payload:*', '+@read', '+ping', '+info', '+select', '+client'];
    await redis.redis.acl('SETUSER', 'reader', 'on', '>hush', ...rules);
    const url = `redis://reader:hush@127.0.0.1:${redis.port}`;
    await codecOn(url).check('read');
    expect((await checked(url)).message).toContain('cannot be used: NOPERM');
  });

  test('a connection that breaks off while a large one is stored spoils nothing', async () => {
    await using proxy = await startTcpProxy(redis.port);
    const store = new RedisStore(`redis://127.0.0.1:${proxy.port}`, undefined);
    const bytes = randomBytes(32 * 1024 * 1024);
    const id = await claimId(bytes);
    const stored = store.put(id, bytes).catch((error: unknown) => error);
    // A piece arrives, and its answer does not.
    await waitFor(async () => (await unfinished()) > 0);
    proxy.mute();
    let size = -1;
    await waitFor(async () => size === (size = await unfinished()) && size > 0);
    proxy.restore();
    const error = await stored;
    if (error) await store.put(id, bytes);
    expect(bytes.equals((await store.get(id))!)).toBe(true);
    expect(await unfinished()).toBe(0);
  });

  /** Bytes of what is not stored as a whole. */
  const unfinished = async (): Promise<number> => {
    const [key] = await redis.redis.keys('{patient:payload:*');
    return key ? redis.redis.strlen(key) : 0;
  };

  const clients = async (): Promise<number> =>
    ((await redis.redis.client('LIST')) as string).trim().split('\n').length;
});

describe('s3', () => {
  test('a bucket that does not exist is refused at the start', async () => {
    expect((await checked(s3.url('nowhere'))).message).toBe(
      'payloadStore: s3://nowhere/ cannot be used: there is no bucket nowhere',
    );
  });

  test('a check leaves one object, and needs no other rights than payloads do', async () => {
    await s3.createBucket('checked');
    await codecOn(s3.url('checked', 'some')).check('write');
    const listed = await fetch(`${s3.endpoint}/checked?list-type=2`);
    expect((await listed.text()).match(/<Key>[^<]*/g)).toEqual(['<Key>some/check']);
  });

  test.each<[number, string, Record<string, string>, string]>([
    [
      403,
      '<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>',
      {},
      'HTTP 403 AccessDenied: Access Denied; allow s3:PutObject and s3:GetObject for bucket/a/*',
    ],
    [
      301,
      '<Error><Code>PermanentRedirect</Code><Message>Elsewhere</Message></Error>',
      { 'x-amz-bucket-region': 'eu-north-1' },
      'HTTP 301 PermanentRedirect: Elsewhere; the bucket is in eu-north-1: set AWS_REGION to that',
    ],
    [418, '', {}, 'HTTP 418'],
  ])(
    'an answer of %i is told as what it says, and what helps',
    async (status, body, headers, reason) => {
      const server = createServer((request, response) => {
        request.resume();
        response.writeHead(status, headers).end(body);
      });
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const url = `s3://bucket/a?endpoint=${encodeURIComponent(endpoint)}`;
      const { message } = await checked(url);
      // Who may not list is told the same of what is not there.
      const read = codecOn(url).check('read');
      await (status === 403 ? read : rejection(read));
      server.closeAllConnections();
      await once(server.close(), 'close');
      expect(message).toBe(`payloadStore: s3://bucket/a/ cannot be used: ${reason}`);
    },
  );

  test('one that cannot be reached, too', async () => {
    const url = 's3://payloads?endpoint=http://127.0.0.1:1';
    expect((await checked(url)).message).toContain('ECONNREFUSED');
  });
});

describe('refused at the start, by worker and plugin alike', () => {
  const wrong: [string, () => PatientOptions, string][] = [
    ['a short key', () => ({ encryptionKeys: ['a:AAAA'] }), 'key "a": expected 32 bytes in base64'],
    [
      'two keys with one id',
      () => ({ encryptionKeys: [`a:${A}`, `a:${B}`] }),
      'encryptionKeys: two keys have the id "a"',
    ],
    ['a threshold of 0', () => ({ payloadThreshold: 0 }), 'payloadThreshold: expected'],
    [
      'a folder that cannot be written',
      () => ({ payloadStore: 'file:///dev/null/folder' }),
      'payloadStore: file:///dev/null/folder cannot be used: ENOTDIR',
    ],
    [
      'no such bucket',
      () => ({ payloadStore: s3.url('nowhere') }),
      'payloadStore: s3://nowhere/ cannot be used: there is no bucket nowhere',
    ],
    [
      'no such Redis',
      () => ({ payloadStore: 'redis://127.0.0.1:1' }),
      'payloadStore: redis://127.0.0.1:1 cannot be used: no connection',
    ],
  ];

  test.each(wrong)('%s', async (_name, options, message) => {
    const worker = await rejection(startEnvironment(options()));
    const configure = async (): Promise<unknown> =>
      new PatientPlugin(options()).configureWorker({ taskQueue: 'own' });
    for (const error of [worker, await rejection(configure())]) {
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toContain(message);
    }
  });
});

describe('your own', () => {
  test('one that throws at once fails as one that rejects', async () => {
    const payloadStore = new Throwing();
    const codec = new PatientCodec(resolveOptions({ payloadStore, payloadThreshold: 1 }));
    const stored = rejection(codec.encode([defaultPayloadConverter.toPayload('x')]));
    expect((await stored).message).toContain('payloadStore: throwing cannot store a payload of');
  });

  test('one that could not be used is asked again', async () => {
    const payloadStore = new Throwing();
    const codec = new PatientCodec(resolveOptions({ payloadStore }));
    expect((await rejection(codec.check('write'))).message).toContain('cannot be used: away');
    payloadStore.away = false;
    await codec.check('write');
  });

  test('deletes by age if it can', async () => {
    const days: string[] = [];
    const payloadStore = Object.assign(new Throwing(), {
      expire: async (day: string) => void days.push(day),
    });
    const codec = new PatientCodec(resolveOptions({ payloadStore, payloadRetention: '10 days' }));
    await codec.expire(new Date('2026-11-24T12:00:00Z'));
    expect(days).toEqual(['2026-11-13']);
  });
});

class Throwing implements PayloadStore {
  readonly name = 'throwing';
  away = true;

  put(): Promise<void> {
    throw new Error('away');
  }

  get(): Promise<undefined> {
    throw new Error('away');
  }

  check(): Promise<void> {
    if (this.away) throw new Error('away');
    return Promise.resolve();
  }
}

function codecOn(payloadStore: string): PatientCodec {
  return new PatientCodec(resolveOptions({ payloadStore }));
}

function checked(payloadStore: string): Promise<Error> {
  return rejection(codecOn(payloadStore).check('write'));
}
