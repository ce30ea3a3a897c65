import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inflateSync } from 'node:zlib';
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveOptions, type PatientOptions } from '../../src/config/options.ts';
import { PatientCodec, withCodec } from '../../src/payload/patient-codec.ts';
import { draftOf, fromBytes, messageOf, textOf } from '../../src/payload/payload.ts';
import { withUnreadable } from '../../src/payload/unreadable.ts';
import { quietLogger } from '../support/environment.ts';

const [A, B] = [1, 2].map((byte) => Buffer.alloc(32, byte).toString('base64'));
const SECRET = 'attack at dawn '.repeat(10_000);

let folder: string;
let payloadStore: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patient-payloads-'));
  payloadStore = pathToFileURL(folder).href;
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const codecOf = (options: PatientOptions) => new PatientCodec(resolveOptions(options));
const payloadOf = (value: unknown) => defaultPayloadConverter.toPayload(value);
const valueOf = (payload: Payload) => defaultPayloadConverter.fromPayload(payload);

async function encode(options: PatientOptions, value: unknown): Promise<Payload> {
  const [payload] = await codecOf(options).encode([payloadOf(value)]);
  return payload!;
}

async function decode(options: PatientOptions, payload: Payload): Promise<unknown> {
  const [decoded] = await codecOf(options).decode([payload]);
  return valueOf(decoded!);
}

/** Every combination of what can be switched on. */
function combinations(): PatientOptions[] {
  const choices = [
    { compress: true },
    { encryptionKeys: [`a:${A}`] },
    { payloadStore, payloadThreshold: 500 },
  ];
  return Array.from({ length: 2 ** choices.length }, (_, bits) =>
    Object.assign({}, ...choices.filter((_choice, bit) => bits & (1 << bit))),
  );
}

describe('round trips', () => {
  const everything = (): PatientOptions => ({
    compress: true,
    encryptionKeys: [`b:${B}`, `a:${A}`],
    payloadStore,
    payloadThreshold: 500,
  });

  test('whatever was on when it was written, and whatever is on now', async () => {
    for (const options of combinations()) {
      for (const value of [SECRET, 'short', undefined, null, new Uint8Array(1_000)]) {
        const payload = await encode(options, value);
        expect(await decode(options, payload)).toEqual(value);
        expect(await decode(everything(), payload)).toEqual(value);
      }
    }
  });

  test('nothing on: the payload is what it was', async () => {
    const payload = payloadOf(SECRET);
    expect(await codecOf({}).encode([payload])).toEqual([payload]);
  });

  test('a payload of another codec passes through as it is, in both directions', async () => {
    const foreign = { metadata: { encoding: Buffer.from('binary/other') }, data: Buffer.from('x') };
    expect(await codecOf(everything()).decode([foreign])).toEqual([foreign]);
    expect(await decodeAll(everything(), await encodeAll(everything(), foreign))).toEqual(foreign);
  });

  test('a payload that looks like one of ours to begin with is wrapped once more', async () => {
    const once = await encode(everything(), SECRET);
    const twice = await encodeAll(everything(), once);
    expect(await decodeAll(everything(), twice)).toEqual(once);
  });
});

/** A user's, as Temporal's encryption sample is: it opens what it made, and leaves the rest alone. */
class Theirs implements PayloadCodec {
  readonly #codec = codecOf({ encryptionKeys: [`theirs:${B}`] });

  encode(payloads: Payload[]): Promise<Payload[]> {
    return this.#codec.encode(payloads);
  }

  decode(payloads: Payload[]): Promise<Payload[]> {
    return this.#codec.decode(payloads);
  }
}

describe("a user's codec of the same form, inside of ours", () => {
  const throughAll = async (options: PatientOptions, payload: Payload): Promise<Payload> => {
    const { payloadCodecs } = withCodec({ payloadCodecs: [new Theirs()] }, codecOf(options));
    let payloads = [payload];
    for (const codec of payloadCodecs!) payloads = await codec.encode(payloads);
    return payloads[0]!;
  };
  const back = async (options: PatientOptions, payload: Payload): Promise<unknown> => {
    const { payloadCodecs } = withCodec({ payloadCodecs: [new Theirs()] }, codecOf(options));
    let payloads = [payload];
    for (const codec of payloadCodecs!.toReversed()) payloads = await codec.decode(payloads);
    return valueOf(payloads[0]!);
  };

  test('opens what it made, whatever of ours is on', async () => {
    for (const options of combinations()) {
      for (const value of ['short', SECRET]) {
        const payload = await throughAll(options, payloadOf(value));
        expect(await back(options, payload)).toEqual(value);
        // Of a time before ours was there.
        const old = (await new Theirs().encode([payloadOf(value)]))[0]!;
        expect(await back(options, old)).toEqual(value);
      }
    }
  });

  test('what neither opens fails closed, and names the key', async () => {
    const foreign = await encode({ encryptionKeys: [`c:${A}`] }, SECRET);
    await expect(back({ compress: true }, foreign)).rejects.toThrow('encrypted with key "c"');
  });
});

describe('where ours is already', () => {
  const twice = (first: PatientOptions, second: PatientOptions) =>
    withCodec(withCodec(undefined, codecOf(first)), codecOf(second)).payloadCodecs!;

  test.each<[PatientOptions, PatientOptions]>([
    [{ encryptionKeys: [`a:${A}`] }, { encryptionKeys: [{ id: 'a', key: A! }] }],
    [{ payloadThreshold: 5 }, { payloadThreshold: 6 }],
    [{ encryptionKeys: [`a:${A}`], compress: true }, {}],
  ])('%o stays with %o', async (first, second) => {
    const [codec, ...others] = twice(first, second);
    expect(others).toEqual([]);
    const [payload] = await codec!.encode([payloadOf(SECRET)]);
    expect(await decode(first, payload!)).toBe(SECRET);
    expect(textOf(payload!, 'encryption-key-id')).toBe(first.encryptionKeys ? 'a' : undefined);
  });

  test('and in the converter of the worker that takes requests', () => {
    const codec = codecOf({ encryptionKeys: [`a:${A}`] });
    const reading = withUnreadable(withCodec(undefined, codec), quietLogger);
    expect(withCodec(reading, codec)).toBe(reading);
  });

  test.each<[PatientOptions, PatientOptions, string]>([
    [{}, { encryptionKeys: [`a:${A}`] }, 'encryptionKeys: expected the same'],
    [{ encryptionKeys: [`a:${A}`] }, { encryptionKeys: [`b:${B}`] }, 'got "a" and "b"'],
    [
      { encryptionKeys: [`a:${A}`] },
      { encryptionKeys: [`a:${B}`] },
      'got "a" and another of this name',
    ],
    [{ compress: true }, { encryptionKeys: [`a:${A}`] }, 'compress: expected the same'],
    [{}, { payloadStore: 'redis://:hush@r/1' }, 'got none and redis://r/1'],
    [
      { payloadStore: 's3://b' },
      { payloadStore: 's3://b', payloadThreshold: 1 },
      'payloadThreshold: expected the same',
    ],
  ])('%o does not do what %o asks for, and says so', (first, second, message) => {
    expect(() => twice(first, second)).toThrow(message);
  });
});

const encodeAll = async (options: PatientOptions, payload: Payload) =>
  (await codecOf(options).encode([payload]))[0]!;
const decodeAll = async (options: PatientOptions, payload: Payload) =>
  (await codecOf(options).decode([payload]))[0]!;

describe('compression', () => {
  test("is Temporal's binary/zlib: a zlib stream of the serialized payload", async () => {
    const payload = await encode({ compress: true }, SECRET);
    expect(textOf(payload, 'encoding')).toBe('binary/zlib');
    expect(payload.data!.length).toBeLessThan(2_000);
    expect(valueOf(fromBytes(inflateSync(payload.data!)))).toBe(SECRET);
  });

  test('leaves alone what it cannot make smaller', async () => {
    const random = crypto.getRandomValues(new Uint8Array(10_000));
    expect(textOf(await encode({ compress: true }, random), 'encoding')).toBe('binary/plain');
  });

  test('what is no zlib stream is an error', async () => {
    const broken = { ...(await encode({ compress: true }, SECRET)), data: Buffer.from('broken') };
    await expect(decode({}, broken)).rejects.toThrow(
      'A binary/zlib payload cannot be decompressed',
    );
  });
});

describe('encryption', () => {
  const one = { encryptionKeys: [`a:${A}`] };

  test('has nothing of the plaintext, and never the same bytes twice', async () => {
    const [first, second] = [await encode(one, SECRET), await encode(one, SECRET)];
    expect(textOf(first, 'encoding')).toBe('binary/encrypted');
    expect(textOf(first, 'encryption-key-id')).toBe('a');
    expect(Buffer.from(first.data!).includes('attack')).toBe(false);
    expect(first.data!.length).toBe(12 + messageOf(draftOf(payloadOf(SECRET))).length + 16);
    expect(first.data).not.toEqual(second.data);
  });

  test('a new key encrypts, the old one still opens what it wrote', async () => {
    const old = await encode(one, 'old');
    const rotated = { encryptionKeys: [`b:${B}`, `a:${A}`] };
    expect(await decode(rotated, old)).toBe('old');
    const fresh = await encode(rotated, 'new');
    expect(textOf(fresh, 'encryption-key-id')).toBe('b');
    // A process to which the roll-out has already brought the key, not yet as the first.
    expect(await decode({ encryptionKeys: [`a:${A}`, `b:${B}`] }, fresh)).toBe('new');
  });

  test.each([
    [{}, 'this process has none'],
    [{ encryptionKeys: [`b:${B}`, `c:${B}`] }, 'this process has "b", "c"'],
  ])('with %o it fails closed, and names the key', async (options, has) => {
    await expect(decode(options, await encode(one, 1))).rejects.toThrow(
      `encryptionKeys: a payload is encrypted with key "a"; ${has}`,
    );
  });

  test.each([
    ['another key with its id', { encryptionKeys: [`a:${B}`] }, (data: Uint8Array) => data],
    [
      'a bit changed',
      one,
      (data: Uint8Array) => data.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
    ],
    ['cut short', one, (data: Uint8Array) => data.subarray(0, -1)],
    ['a shorter tag', one, (data: Uint8Array) => data.subarray(0, 20)],
    ['nothing', one, () => new Uint8Array()],
  ])('%s: it does not open', async (_name, options, change) => {
    const payload = await encode(one, SECRET);
    const changed = { ...payload, data: change(payload.data!) };
    await expect(decode(options, changed)).rejects.toThrow(
      'encryptionKeys: a payload does not open with key "a"',
    );
  });
});

describe('claim check', () => {
  test('history gets an id; the store gets what is over the threshold, and encrypted', async () => {
    const options = { encryptionKeys: [`a:${A}`], payloadStore, payloadThreshold: 1_000 };
    const large = await encode(options, SECRET);
    expect(textOf(large, 'encoding')).toBe('claim-checked');
    expect(textOf(large, 'payload-store')).toBe(payloadStore);
    const stored = await readFile(fileOf(large));
    expect(stored.includes('attack')).toBe(false);
    expect(await decode(options, large)).toBe(SECRET);
    expect(textOf(await encode(options, 'short'), 'encoding')).toBe('binary/encrypted');
  });

  test('a process without the store says where the payload is', async () => {
    const claim = await encode({ payloadStore }, SECRET);
    await expect(decode({}, claim)).rejects.toThrow(
      `payloadStore: payload ${idOf(claim)} is in ${payloadStore}; this process has no store`,
    );
  });

  test('a deleted one, one in another store, a changed one are told apart', async () => {
    const elsewhere = `${payloadStore}/elsewhere`;
    const claim = await encode({ payloadStore }, `${SECRET}!`);
    await expect(decode({ payloadStore: elsewhere }, claim)).rejects.toThrow(
      `payload ${idOf(claim)} is not in ${elsewhere} (it was put into ${payloadStore}): deleted,`,
    );
    await writeFile(fileOf(claim), 'something else');
    await expect(decode({ payloadStore }, claim)).rejects.toThrow('is not what was stored');
    await rm(fileOf(claim));
    await expect(decode({ payloadStore }, claim)).rejects.toThrow(
      `payloadStore: payload ${idOf(claim)} is not in ${payloadStore}: deleted, by age or by hand`,
    );
  });

  test.each(['../../../etc/passwd', '2026-11-24/../../x', ''])('%j is no id', async (id) => {
    const claim = await encode({ payloadStore }, SECRET);
    await expect(decode({ payloadStore }, { ...claim, data: Buffer.from(id) })).rejects.toThrow(
      'has no ids of this form',
    );
  });

  test('deletes whole days, and only those past the age', async () => {
    const codec = codecOf({ payloadStore, payloadRetention: '10 days' });
    const claim = await encode({ payloadStore }, `${SECRET}?`);
    const today = new Date();
    const inDays = (days: number) => new Date(today.getTime() + days * 24 * 3_600_000);
    await codec.expire(inDays(11));
    expect(await decode({ payloadStore }, claim)).toBe(`${SECRET}?`);
    await codec.expire(inDays(12));
    expect(await readdir(folder)).not.toContain(today.toISOString().slice(0, 10));
  });
});

const idOf = ({ data }: Payload): string => Buffer.from(data!).toString();

function fileOf(claim: Payload): string {
  const [day = '', digest = ''] = idOf(claim).split('/');
  return join(folder, day, digest.slice(0, 2), digest.slice(2));
}
