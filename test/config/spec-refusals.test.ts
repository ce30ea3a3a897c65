import { describe, expect, it, test } from 'vitest';
import { z } from 'zod';
import { requestSpecSchema } from '../../src/config/spec-schema.ts';
import { fieldsOf, refusal, SECRET, withField } from './refuse.ts';
import { REFUSED } from './refused-specs.ts';

describe.each(Object.entries(REFUSED))('%s', (field, cases) => {
  test.each(cases)('%o', (value, ...expected) => {
    const message = refusal(withField({ url: 'https://api.test/', method: 'POST' }, field, value));

    expect(message.startsWith(field)).toBe(true);
    for (const part of expected) expect(message).toContain(part);
    expect(message).not.toContain('; ');
  });
});

it('covers every field', () => {
  const { properties } = z.toJSONSchema(requestSpecSchema, { io: 'input' });

  expect(Object.keys(REFUSED).sort()).toEqual(fieldsOf(properties!).sort());
});

describe('the spec as a whole', () => {
  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [5, '5'],
    [[], 'an array'],
    [() => 1, 'a function'],
  ])('%o is no spec', (value, got) => {
    expect(refusal(value)).toBe(`spec: expected a URL or an object, got ${got}`);
  });

  it('is refused for a field that does not exist, without its value', () => {
    expect(refusal({ url: 'https://api.test/', headres: SECRET })).toBe('headres: unknown field');
    expect(refusal(JSON.parse('{"url":"https://api.test/","__proto__":1}'))).toBe(
      '__proto__: unknown field',
    );
  });

  it('is refused above the size that Temporal takes', () => {
    const message = refusal({ url: 'https://api.test/', method: 'POST', body: 'x'.repeat(3e6) });

    expect(message).toBe('spec: expected at most 2097152 bytes as JSON, got 3000053');
  });

  it('is refused for a content type beside multipart, which has its boundary there', () => {
    const headers = { 'Content-Type': 'multipart/mixed' };
    const multipart = [{ name: 'a', value: 'b' }];

    expect(refusal({ url: 'https://api.test/', method: 'POST', headers, multipart })).toBe(
      'headers.Content-Type: is set by the transport with multipart',
    );
  });

  it('is refused with all its problems at once', () => {
    const message = refusal({
      url: 'ftp://x',
      timeout: -1,
      retry: { tries: 1 },
      body: 'x',
      json: 1,
    });

    expect(message.split('; ')).toEqual([
      'url: expected an http or https URL, got the scheme "ftp:"',
      "timeout: expected milliseconds or a duration such as '30s', got -1",
      'retry.tries: unknown field',
      'json: expected one body, got body and json',
      'body: expected no body with GET',
    ]);
  });

  it('is refused with a message of bounded length', () => {
    const headers = Object.fromEntries(
      Array.from({ length: 500 }, (_, n) => [`x-${n}-${'y'.repeat(500)}`, 1]),
    );

    const message = refusal({ url: 'https://api.test/', headers });

    expect(message).toContain('; and 480 more');
    expect(message.length).toBeLessThan(5000);
  });
});

describe('fields that exclude each other', () => {
  const bodies = { body: 'x', json: 1, form: { a: 1 }, bodyBase64: 'YQ==' };
  const kinds = Object.keys(bodies) as (keyof typeof bodies)[];
  const couples = kinds.flatMap((one, n) =>
    kinds.slice(n + 1).map((other) => [one, other] as const),
  );

  test.each(couples)('%s and %s', (one, other) => {
    const spec = { url: 'https://api.test/', method: 'POST' };

    expect(refusal({ ...spec, [one]: bodies[one], [other]: bodies[other] })).toBe(
      `${other}: expected one body, got ${one} and ${other}`,
    );
  });

  test.each(kinds.flatMap((kind) => ['GET', 'head'].map((method) => [kind, method] as const)))(
    '%s with %s',
    (kind, method) => {
      expect(refusal({ url: 'https://api.test/', method, [kind]: bodies[kind] })).toBe(
        `${kind}: expected no body with ${method.toUpperCase()}`,
      );
    },
  );

  test('a body without a method, which is GET', () => {
    expect(refusal({ url: 'https://api.test/', json: null })).toBe(
      'json: expected no body with GET',
    );
  });

  test('two idempotency keys', () => {
    const headers = { 'Idempotency-Key': SECRET };

    expect(refusal({ url: 'https://api.test/', headers, idempotencyKey: true })).toBe(
      'idempotencyKey: expected one key, got headers.Idempotency-Key too',
    );
  });

  test('intervals of retry', () => {
    const retry = { initialInterval: '2m', maximumInterval: '1m' };

    expect(refusal({ url: 'https://api.test/', retry })).toBe(
      'retry.maximumInterval: expected at least initialInterval (120000 ms), got 60000 ms',
    );
  });
});
