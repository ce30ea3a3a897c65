import { createSecretKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { PayloadStore } from '../shared/payload-store.ts';
import { describeKind } from './problems.ts';

const KEY_BYTES = 32;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** Characters of base64 from which it can be a key, or most of one. */
const KEY_LIKE = 16;

const keyInput = z.union(
  [
    z.string(),
    z.strictObject({
      // Names of keys elsewhere too: a resource name, an alias.
      id: z.string({ error: 'expected a string' }).regex(/^[!-~]{1,255}$/, {
        error: ({ input }) =>
          `expected 1 to 255 visible ASCII characters, got ${describeKind(input)}`,
      }),
      key: z.custom<string | Uint8Array>(
        (value) => typeof value === 'string' || value instanceof Uint8Array,
        { error: ({ input }) => `expected base64 or bytes, got ${describeKind(input)}` },
      ),
    }),
  ],
  { error: ({ input }) => `expected { id, key } or 'id:key', got ${describeKind(input)}` },
);

/** Keys as `KeyObject`s, which no log prints. No message shows any part of one. */
export function encryptionKeys() {
  const key = keyInput.transform((input, ctx): { id: string; key: KeyObject } => {
    const { id, key } = typeof input === 'string' ? split(input) : input;
    const bytes = typeof key === 'string' ? fromBase64(key) : key;
    const problem = (typeof input === 'string' && idProblem(id)) || keyProblem(id, bytes);
    if (problem === undefined) return { id, key: createSecretKey(bytes!) };
    ctx.addIssue({ code: 'custom', message: problem });
    return z.NEVER;
  });
  return z
    .array(key, { error: ({ input }) => `expected an array of keys, got ${describeKind(input)}` })
    .superRefine((keys, ctx) => {
      const ids = keys.map(({ id }) => id);
      const twice = ids.find((id, index) => ids.indexOf(id) !== index);
      if (twice === undefined) return;
      ctx.addIssue({ code: 'custom', message: `two keys have the id ${shown(twice)}` });
    });
}

/** A URL of the schemes we know, or an object of the user's. */
export function payloadStore() {
  return z.custom<string | PayloadStore>(isStore, {
    error: ({ input }) =>
      'expected file:///folder, redis://…, rediss://…, s3://bucket or an object with name, put and ' +
      `get, got ${describeKind(input)}`,
  });
}

function isStore(value: unknown): boolean {
  if (typeof value === 'string') return URL.canParse(value) && isStoreUrl(new URL(value));
  const { name, put, get } = Object(value) as Partial<PayloadStore>;
  return typeof name === 'string' && typeof put === 'function' && typeof get === 'function';
}

/** What a store would not look at is refused: `?region=` and credentials, say, are the AWS SDK's to find. */
function isStoreUrl(url: URL): boolean {
  const { protocol, host, pathname, search, searchParams, hash, username, password } = url;
  if (hash !== '') return false;
  if (/^rediss?:$/.test(protocol)) return host !== '';
  if (username !== '' || password !== '') return false;
  if (protocol === 'file:') return host === '' && pathname.length > 1 && search === '';
  return protocol === 's3:' && host !== '' && [...searchParams.keys()].every(isEndpoint);
}

function isEndpoint(name: string): boolean {
  return name === 'endpoint';
}

function split(text: string): { id: string; key: string } {
  const colon = text.lastIndexOf(':');
  return { id: text.slice(0, Math.max(colon, 0)), key: text.slice(colon + 1) };
}

function fromBase64(text: string): Uint8Array | undefined {
  return BASE64.test(text) ? Buffer.from(text, 'base64') : undefined;
}

/** Base64 without its id would show a key as one. */
function idProblem(id: string): string | undefined {
  if (/^[\w.-]{1,100}$/.test(id)) return undefined;
  return `expected { id, key } or 'id:key', the id 1 to 100 of A-Z a-z 0-9 _ . -, got ${describeKind(id)}`;
}

function keyProblem(id: string, bytes: Uint8Array | undefined): string | undefined {
  if (bytes?.length === KEY_BYTES) return undefined;
  const got = bytes ? `${bytes.length} bytes` : 'another string';
  return `key ${shown(id)}: expected ${KEY_BYTES} bytes in base64, got ${got}`;
}

/** Where the two are the wrong way round, the id is the key. */
function shown(id: string): string {
  return BASE64.test(id) && id.length >= KEY_LIKE ? 'of another string' : JSON.stringify(id);
}
