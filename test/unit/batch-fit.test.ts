import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitItems, type ItemResult } from '../../src/shared/batch.ts';
import { MAX_OUTCOMES_BYTES, SHORTEST_OUTCOME } from '../../src/shared/batch-spec.ts';
import { ERROR_WORDS, RequestError } from '../../src/shared/errors.ts';
import { wireError } from '../../src/shared/failure.ts';
import { jsonBytes } from '../../src/shared/text.ts';
import type { WireResponse } from '../../src/shared/wire.ts';
import type { BatchOutcome } from '../../src/shared/wire-batch.ts';

const response = (fields: Partial<WireResponse> = {}): { response: WireResponse } => ({
  response: {
    ...{ status: 200, headers: { 'content-type': 'text/plain' }, body: 'ok', bodyEncoding: 'utf8' },
    ...{ url: 'https://api.test/price/17', method: 'GET', redirects: [], requestId: 'batch-1/17' },
    ...{ durationMs: 12, attempt: 1, callbackArgs: null },
    ...fields,
  },
});

const failed = (fields: Partial<WireResponse> = {}): { error: ReturnType<typeof wireError> } => {
  const { response: answer } = response({ status: 503, ...fields });
  const message = `HTTP 503 response from GET https://api.test/ ${'é'.repeat(100)}`;
  const error = new RequestError('HttpStatusError', message, { response: answer, phase: 'sent' });
  return { error: wireError(error, answer) };
};

const statusOf = (item: BatchOutcome): number | undefined =>
  'response' in item ? item.response.status : item.error.response?.status;

test('a byte too many costs one of thousands of small responses, the largest', () => {
  const items = Array.from({ length: 5_000 }, (_, i) => response({ body: 'x'.repeat(i % 50) }));
  items[1_234] = response({ body: 'x'.repeat(5_000) });
  const fitted = fitItems(items, jsonBytes(items) - 1);
  expect(fitted.flatMap((item, i) => ('error' in item ? [i] : []))).toEqual([1_234]);
  expect(fitted[1_234]).toMatchObject({
    error: { type: 'ResponseTooLargeError', response: { status: 200, bodyTruncated: true } },
  });
});

test('where all are small, as few as can be lose their status', () => {
  const items = Array.from({ length: 5_000 }, (_, i) =>
    response({ requestId: `${'w'.repeat(150)}/${i}` }),
  );
  const limit = jsonBytes(items) - 1;
  const fitted = fitItems(items, limit);
  expect(jsonBytes(fitted)).toBeLessThanOrEqual(limit);
  expect(fitted.filter((item) => 'error' in item)).toHaveLength(1);
});

test('thousands of errors lose what they say before the statuses of their responses', () => {
  const items = Array.from({ length: 4_000 }, () => failed({ body: 'x'.repeat(1_000) }));
  const fitted = fitItems(items, MAX_OUTCOMES_BYTES);
  expect(jsonBytes(fitted)).toBeLessThanOrEqual(MAX_OUTCOMES_BYTES);
  const kept = fitted.filter((item) => statusOf(item) === 503);
  const lost = fitted.filter((item) => statusOf(item) === undefined);
  const saved = jsonBytes(kept[0]) - jsonBytes(lost[0]);
  expect(lost.length).toBeLessThan(fitted.length);
  expect(jsonBytes(fitted) + saved).toBeGreaterThan(MAX_OUTCOMES_BYTES);
});

test('what has no response to lose is not made longer', () => {
  const items: ItemResult[] = [{ held: 7 }, { response: null }, { error: null }, response()];
  expect(fitItems(items, 10)).toEqual([...items.slice(0, 3), expect.anything()]);
  expect(jsonBytes(fitItems(items, 10))).toBeLessThanOrEqual(jsonBytes(items));
});

const text = fc.string({ unit: 'binary', maxLength: 3_000 });
const anyResponse = fc
  .record({
    status: fc.integer({ min: 100, max: 599 }),
    headers: fc.dictionary(fc.string(), text, { maxKeys: 5 }),
    body: fc.option(text),
    url: text,
    requestId: text,
    redirects: fc.array(text, { maxLength: 5 }),
    callbackArgs: fc.oneof(fc.constant(null), text),
  })
  .map(response);
const anyError = fc
  .record({
    type: fc.constantFrom(...(Object.keys(ERROR_WORDS) as (keyof typeof ERROR_WORDS)[])),
    message: text,
    phase: fc.constantFrom('prepare', 'queued', 'connect', 'sent'),
    of: anyResponse,
    has: fc.boolean(),
  })
  .map(({ type, message, phase, of, has }) => {
    const context = { ...of.response, attempt: 2 ** 31 - 1, durationMs: 7 * 86_400_000 };
    const answer = has ? { response: of.response } : {};
    return { error: wireError(new RequestError(type, message, { phase, ...answer }), context) };
  });
const anyItems = fc.array(fc.oneof(anyResponse, anyError), { maxLength: 30 });

describe('whatever the outcomes are', () => {
  test('they fit where the shortest do', () => {
    fc.assert(
      fc.property(anyItems, fc.nat(60_000), (items, more) => {
        const limit = items.length * SHORTEST_OUTCOME + 2 + more;
        const fitted = fitItems(items, limit);
        expect(jsonBytes(fitted)).toBeLessThanOrEqual(limit);
        expect(fitted).toHaveLength(items.length);
        for (const [i, item] of fitted.entries()) {
          expect(jsonBytes(item)).toBeLessThanOrEqual(jsonBytes(items[i]));
        }
      }),
      { numRuns: 500 },
    );
  });

  test('none has changed where all fit', () => {
    fc.assert(
      fc.property(anyItems, (items) => {
        expect(fitItems(items, jsonBytes(items))).toEqual(items);
      }),
    );
  });
});
