import { spawnSync } from 'node:child_process';
import { isDeepStrictEqual } from 'node:util';
import { fileURLToPath } from 'node:url';
import { describe, expect, expectTypeOf, it, test } from 'vitest';
import type { z } from 'zod';
import type { batchResultSchema, sinkItemSchema } from '../../src/config/batch-schema.ts';
import type {
  callbackArgumentSchema,
  failureDetailSchema,
  requestErrorSchema,
  responseSchema,
} from '../../src/config/wire-schema.ts';
import { checkBatch } from '../../src/shared/batch-spec.ts';
import type {
  CallbackArgument,
  FailureDetail,
  WireError,
  WireResponse,
} from '../../src/shared/wire.ts';
import type { BatchResult, SinkItem } from '../../src/shared/wire-batch.ts';
import { violations } from '../support/json-schema.ts';
import { ACCEPTED } from './accepted-specs.ts';
import { withField } from './refuse.ts';
import { REFUSED } from './refused-specs.ts';

const url = 'https://api.test/';

it('is what the files in schemas/ have', () => {
  const script = fileURLToPath(new URL('../../scripts/generate-schemas.mjs', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });

  expect(stderr).toBe('');
  expect(status).toBe(0);
});

it('has the types of what is written', () => {
  expectTypeOf<z.output<typeof responseSchema>>().toEqualTypeOf<WireResponse>();
  expectTypeOf<z.output<typeof failureDetailSchema>>().toExtend<FailureDetail>();
  expectTypeOf<FailureDetail>().toExtend<z.output<typeof failureDetailSchema>>();
  expectTypeOf<z.output<typeof requestErrorSchema>>().toExtend<WireError>();
  expectTypeOf<WireError>().toExtend<z.output<typeof requestErrorSchema>>();
  expectTypeOf<z.output<typeof callbackArgumentSchema>>().toExtend<CallbackArgument>();
  expectTypeOf<CallbackArgument>().toExtend<z.output<typeof callbackArgumentSchema>>();
  expectTypeOf<z.output<typeof batchResultSchema>>().toExtend<BatchResult>();
  expectTypeOf<BatchResult>().toExtend<z.output<typeof batchResultSchema>>();
  expectTypeOf<z.output<typeof sinkItemSchema>>().toExtend<SinkItem>();
  expectTypeOf<SinkItem>().toExtend<z.output<typeof sinkItemSchema>>();
});

/** Only what JSON has can come from another language. */
function isJson(value: unknown): boolean {
  try {
    return isDeepStrictEqual(JSON.parse(JSON.stringify(value)), value);
  } catch {
    return false;
  }
}

/** Refused by the worker, and what of it JSON Schema has no words for. */
const BEYOND: Record<string, unknown[]> = {
  // A duration's length, when it is a text.
  ...Object.fromEntries(
    Object.keys(REFUSED).map((field) => [field, ['0.2ms', '1ms', '25 days', '25d']]),
  ),
  // Names that differ in their case alone.
  headers: [{ Accept: 'a', accept: 'S3CRET' }],
  // A pattern for whole groups of four overflows the stacks of validators at a megabyte.
  bodyBase64: ['YQ'],
  'flow.period': [],
  // One number beside another.
  callback: [
    {
      workflow: 'w',
      taskQueue: 'q',
      retry: { initialInterval: 2, maximumInterval: 1 },
    },
  ],
  flow: [{ rate: 1e-9 }],
  // Levels.
  callbackArgs: REFUSED['callbackArgs']!.map(([value]) => value),
  // Bytes; a schema counts characters.
  'priority.fairnessKey': ['é'.repeat(33)],
};

describe('the schema of a request', () => {
  const cases = Object.entries(REFUSED).flatMap(([field, values]) =>
    values.filter(([value]) => isJson(value)).map(([value]) => ({ field, value })),
  );

  test.each(cases)('refuses what the worker refuses: $field $value', ({ field, value }) => {
    const beyond = BEYOND[field]?.some((each) => isDeepStrictEqual(each, value)) ?? false;
    // What is beyond it is let through: else the list above has something too many.
    const found = violations('request-spec', withField({ url, method: 'POST' }, field, value));
    expect(found === '').toBe(beyond);
  });

  const accepted = Object.entries(ACCEPTED).flatMap(([field, values]) =>
    values.map(([value]) => ({ field, value })),
  );

  test.each(accepted)('takes what the worker takes: $field $value', ({ field, value }) => {
    const base = field === 'method' ? { url } : { url, method: 'POST' };
    expect(violations('request-spec', withField(base, field, value))).toBe('');
  });

  test.each([
    { body: 'x', json: 1 },
    { form: {}, bodyBase64: '' },
    { method: 'get', body: '' },
    { method: 'HEAD', json: null },
    { headers: { 'Idempotency-key': 'a' }, idempotencyKey: true },
    { headers: { 'Content-Type': 'a/b' }, multipart: [{ name: 'a', value: '' }] },
    { unknown: 1 },
  ])('refuses what does not go together: %o', (fields) => {
    expect(violations('request-spec', { url, ...fields })).not.toBe('');
  });

  test.each([
    { headers: { 'idempotency-key': 'a' }, idempotencyKey: false },
    { headers: { 'content-type': 'a/b' }, body: 'x' },
    // For patientPost and its like, which bring the method.
    { json: 1 },
  ])('takes what does: %o', (fields) => {
    expect(violations('request-spec', { url, ...fields })).toBe('');
  });

  test('a URL of 64 KB is decided at once', () => {
    for (const end of ['', ' ', '@', '\n']) {
      const started = performance.now();
      violations('request-spec', {
        url: `https://${':/'.repeat(30_000)}${'a'.repeat(5_000)}${end}`,
      });
      violations('request-spec', { url: `https://${'a'.repeat(65_000)}${end}` });
      expect(performance.now() - started).toBeLessThan(20_000);
    }
  });
});

describe('the schema of a batch', () => {
  test.each([
    { requests: [] },
    { requests: [url, { url, method: 'PUT', json: [] }], chunkSize: 1000, concurrency: 100 },
    { requests: [url], keep: 'status', callback: 'done', callbackArgs: { a: 1 } },
    { source: { file: 'in' }, sink: { file: 'out' }, defaults: { headers: { a: 'b' } } },
    { source: { activity: 'a', taskQueue: 'q', args: [1] }, keep: 'none' },
    { requests: [], sink: { activity: 'a', taskQueue: 'q' } },
    { requests: [], callback: { workflow: 'a' } },
    { requests: [], callback: { workflow: 'a', taskQueue: 'q', retry: {} } },
    { requests: [], callback: { signal: 'a', workflowId: 'b' } },
    {
      requests: [],
      callback: {
        workflow: 'a',
        retry: {
          ...{ maximumAttempts: 2, backoffCoefficient: 1.5 },
          ...{ initialInterval: 1, maximumInterval: '1s' },
        },
      },
    },
    { requests: [], defaults: { idempotencyKey: true } },
  ])('takes what the workflow takes: %o', (batch) => {
    expect(() => checkBatch(batch)).not.toThrow();
    expect(violations('batch-spec', batch)).toBe('');
  });

  test.each([
    {},
    'https://api.test/',
    { requests: [], source: { file: 'x' }, keep: 'none' },
    { requests: {} },
    { requests: [], size: 1 },
    { requests: [], chunkSize: 0 },
    { requests: [], chunkSize: 1001 },
    { requests: [], concurrency: '3' },
    { requests: [], concurrency: 101 },
    { requests: [], keep: 'some' },
    { requests: [], sink: 'x' },
    { requests: [], sink: { file: '' } },
    { requests: [], sink: { activity: 'a' } },
    { requests: [], sink: { file: 'x', activity: 'a', taskQueue: 'q' } },
    { requests: [], defaults: [] },
    { source: { file: 'x' } },
    { source: { file: 'x' }, keep: 'all' },
    { source: { file: 'x', args: [] }, keep: 'none' },
    { source: { activity: 'a', taskQueue: 'q', arg: [1] }, keep: 'none' },
    { source: { activity: 'a', taskQueue: 'q', args: 'abc' }, keep: 'none' },
    { requests: [], sink: { activity: 'a', taskQueue: 'q', args: [] } },
    { requests: [], defaults: { requestId: 'a' } },
    { requests: [], defaults: { idempotencyKey: 'a' } },
    { requests: [], callback: 42 },
    { requests: [], callback: '' },
    { requests: [], callback: { workflw: 'a', taskQueue: 'q' } },
    { requests: [], callback: { workflow: 'a', queue: 'q' } },
    { requests: [], callback: { workflow: 'a', taskQueue: 1 } },
    { requests: [], callback: { signal: 'a' } },
    { requests: [], callback: { signal: 'a', workflowId: 'b', retry: {} } },
    { requests: [], callback: { workflow: 'a', retry: 1 } },
    { requests: [], callback: { workflow: 'a', retry: { retri: 1 } } },
    { requests: [], callback: { workflow: 'a', retry: { maximumAttempts: 0 } } },
    { requests: [], callback: { workflow: 'a', retry: { maximumAttempts: null } } },
    { requests: [], callback: { workflow: 'a', retry: { backoffCoefficient: 0.5 } } },
    { requests: [], callback: { workflow: 'a', retry: { initialInterval: 0 } } },
    { requests: [], callback: { workflow: 'a', retry: { maximumInterval: 'soon' } } },
  ])('refuses what the workflow refuses: %o', (batch) => {
    expect(() => checkBatch(batch)).toThrow();
    expect(violations('batch-spec', batch)).not.toBe('');
  });

  test('refuses a request that would fail by itself', () => {
    expect(violations('batch-spec', { requests: ['ftp://a/'] })).not.toBe('');
    expect(violations('batch-spec', { requests: [{ url, timeout: null }] })).not.toBe('');
  });
});
