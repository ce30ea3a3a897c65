import fc from 'fast-check';
import { expect, test } from 'vitest';
import { resolveOptions } from '../../src/config/options.ts';
import { resolveRequest } from '../../src/config/request-spec.ts';
import { prepareRequest } from '../../src/http/prepare.ts';
import { RequestError } from '../../src/shared/errors.ts';
import type { RequestSpec } from '../../src/shared/wire.ts';
import { applyTemplate, type RequestTemplate } from '../../src/shared/template.ts';
import { OK, RawServer, Sender, answering } from '../http/support.ts';

const resolve = (spec: unknown) =>
  resolveRequest(spec, { requestId: 'request-1', defaults: resolveOptions() });

function sentUrl(template: RequestTemplate, spec: RequestSpec): URL {
  return prepareRequest(resolve(applyTemplate(template, spec)), 'test').url;
}

const ORIGINS = ['https://api.test', 'http://api.test:8080', 'https://[2606:4700::1111]'];
const origin = fc.constantFrom(...ORIGINS);
/** Any text in a path, encoded; dots alone would be steps and not names. */
const segment = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  .map(encodeURIComponent)
  .filter((text) => !/^(\.|%2e){1,2}$/i.test(text));
const path = fc.array(segment, { maxLength: 3 });
const scalar = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean());
const key = fc.string({ unit: 'grapheme' }).filter((text) => text !== '__proto__');
const params = fc.dictionary(key, fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })), {
  maxKeys: 4,
});

/** What the other side reads; a lone surrogate has no UTF-8 and becomes U+FFFD. */
function pairsOf(given: Record<string, unknown>): [string, string][] {
  return Object.entries(given).flatMap(([name, value]) =>
    [value]
      .flat()
      .map((each): [string, string] => [name.toWellFormed(), String(each).toWellFormed()]),
  );
}

test('a relative URL is put below its base, whose path and query stay', () => {
  const query = fc.dictionary(fc.stringMatching(/^[a-z]{1,4}$/), fc.stringMatching(/^\w{0,4}$/), {
    maxKeys: 2,
  });
  const search = (pairs: Record<string, string>): string => {
    const text = new URLSearchParams(pairs).toString();
    return text && `?${text}`;
  };
  fc.assert(
    fc.property(
      fc.record({ origin, base: path, below: path, baseQuery: query, query, params }),
      fc.record({ endSlash: fc.boolean(), startSlash: fc.boolean() }),
      (given, { endSlash, startSlash }) => {
        const basePath = given.base.map((part) => `/${part}`).join('');
        const baseUrl = `${given.origin}${basePath}${endSlash ? '/' : ''}${search(given.baseQuery)}`;
        const below = given.below.join('/');
        const relative = (startSlash && below ? '/' : '') + below + search(given.query);
        const template = Object.freeze({ baseUrl, params: Object.freeze({ ...given.params }) });
        const url = sentUrl(template, { url: relative });

        expect(url.origin).toBe(given.origin);
        const parts = [...given.base, ...given.below];
        const decoded = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
        expect(decoded).toEqual(parts.map(decodeURIComponent));
        expect([...url.searchParams]).toEqual([
          ...Object.entries(given.baseQuery),
          ...Object.entries(given.query),
          ...pairsOf(given.params),
        ]);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('no relative URL leaves the origin of its base', () => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(
        fc.constantFrom('/', '\\', '.', '..', '@', ':', '//', '?', '#', '%2f', 'evil.test', ' '),
      )
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(
      origin,
      fc.constantFrom('', '/', '/v1', '/v1/?k=1'),
      anything,
      (home, base, text) => {
        fc.pre(!/^[a-z][a-z0-9+.-]*:/i.test(text));
        try {
          expect(sentUrl({ baseUrl: home + base }, { url: text }).origin).toBe(home);
        } catch (error) {
          if (!(error instanceof RequestError)) throw error;
          expect(error.type).toBe('InvalidRequestError');
        }
      },
    ),
    { numRuns: 5_000 },
  );
});

test('a header arrives as it was given, alone, or is refused without being shown', async () => {
  await using server = await RawServer.start(answering(OK));
  await using sender = new Sender();
  const name = fc.oneof(
    {
      weight: 20,
      arbitrary: fc
        .stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/)
        .filter((text) => text !== '__proto__'),
    },
    { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 8 }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('Host', 'content-length', 'Transfer-Encoding', 'Expect'),
    },
  );
  const value = fc.oneof(
    { weight: 20, arbitrary: fc.stringMatching(/^[\t\x20-\x7e\xa0-\xff]{0,20}$/) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        ...['a\r\nx-injected: 1', 'a\nb', 'a\rb', 'a\0b', '\u{1f4a3}', '\u010d\u010a'],
      ),
    },
  );
  const headers = fc.dictionary(
    name,
    fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 2 })),
    {
      minKeys: 1,
      maxKeys: 3,
    },
  );
  let sent = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(headers, async (given) => {
      let request;
      try {
        request = resolve({ url: server.url(), headers: given });
      } catch (error) {
        refused++;
        expect(error).toMatchObject({ type: 'InvalidRequestError' });
        for (const text of Object.values(given).flat()) {
          if (text.trim().length > 8) expect((error as Error).message).not.toContain(text);
        }
        return;
      }
      const before = server.received.map(({ length }) => length);
      expect(await sender.send(request)).toMatchObject({ status: 200 });
      const raw = server.received.map((text, i) => text.slice(before[i] ?? 0)).join('');
      const [, ...lines] = raw.slice(0, -4).split('\r\n');
      const ours = /^(host|connection|x-request-id|user-agent|accept-encoding):/i;
      const arrived = lines
        .filter((line) => !ours.test(line))
        .map(split)
        .sort();
      const expected = Object.entries(given)
        .filter(([header]) => !ours.test(`${header}:`))
        .flatMap(([header, values]) =>
          [values].flat().map((text) => `${header.toLowerCase()}:${text.trim()}`),
        )
        .sort();
      expect(arrived).toEqual(expected);
      sent++;
    }),
    { numRuns: 1_000 },
  );
  expect(Math.min(sent, refused)).toBeGreaterThan(100);
});

function split(line: string): string {
  const at = line.indexOf(':');
  return `${line.slice(0, at).toLowerCase()}:${line.slice(at + 1).trim()}`;
}
