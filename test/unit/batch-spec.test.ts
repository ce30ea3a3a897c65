import { expect, test } from 'vitest';
import { checkBatch } from '../../src/shared/batch-spec.ts';

/** What is wrong with a batch, and nothing of one that is right; `id`: what those of its requests begin with. */
function refusal(batch: object, id?: string): string {
  try {
    checkBatch(batch, id);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

const urls = (count: number, length = 20): string[] =>
  Array<string>(count).fill('u'.repeat(length));

test('what cannot fit is refused, and says how much may, and what helps', () => {
  expect(refusal({ requests: urls(5_000) })).toBe('');
  expect(refusal({ requests: urls(8_000) })).toMatch(
    /^requests: the outcomes of 8000 do not fit into a result, 5\d\d\d may; use a sink, or keep: "none"$/,
  );
  expect(refusal({ requests: urls(8_000), keep: 'none' })).toBe('');
});

test.each<[string, object, string]>([
  ['URLs', { requests: urls(3_000, 600) }, ''],
  ['the ids of the requests', { requests: urls(4_000) }, 'w'.repeat(500)],
  ['callbackArgs', { requests: urls(100), defaults: { callbackArgs: 'x'.repeat(30_000) } }, ''],
])('also by what a response repeats: %s', (_, batch, id) => {
  expect(refusal(batch, id)).toMatch(/^requests: the outcomes of \d+ do not fit into a result/);
});

test('but a request that cannot be written as JSON fails by itself', () => {
  expect(refusal({ requests: [{ url: 'u', callbackArgs: 5n }] })).toBe('');
});

test('more chunks than one history has events for are refused', () => {
  const requests = urls(5_000);
  expect(refusal({ requests, chunkSize: 2 })).toBe('');
  expect(refusal({ requests, chunkSize: 1 })).toBe(
    'chunkSize: with 1 it takes 5000 activities, 3333 may be in one history; ' +
      'use a larger one, or patientBatch with a sink',
  );
  const sink = { file: 'out' };
  expect(refusal({ requests, chunkSize: 1, sink })).toBe('');
  expect(refusal({ requests, chunkSize: 1, keep: 'none' })).toBe('');
});

test('what goes along into every next run has its limits', () => {
  const sink = { file: 'out' };
  const of = (bytes: number) => 'x'.repeat(bytes - 2);
  const source = (bytes: number) => ({ activity: 'a', taskQueue: 'q', args: [of(bytes - 2)] });
  const most = 256 * 1024;
  expect(refusal({ source: source(most), sink, callbackArgs: of(most) })).toBe('');
  expect(refusal({ requests: [], callbackArgs: of(most + 1) })).toBe(
    'callbackArgs: expected at most 262144 bytes of JSON, got 262145',
  );
  expect(refusal({ source: source(most + 1), sink })).toBe(
    'source.args: expected at most 262144 bytes of JSON, got 262145',
  );
});
