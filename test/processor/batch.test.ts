import { expect, test } from 'vitest';
import { resolveOptions } from '../../src/config/options.ts';
import { resolveRequest } from '../../src/config/request-spec.ts';
import type { BatchInput } from '../../src/processor/batch-task.ts';
import { NO_BATCH_PROGRESS } from '../../src/shared/attempt.ts';
import type { RequestSpec } from '../../src/shared/wire.ts';
import { waitFor } from '../support/wait-for.ts';
import { keyOf, startHarness, type Harness } from './harness.ts';

type Spec = Partial<RequestSpec> & { url: string };

/** As the gated worker does, for a batch of requests to the harness's target. */
async function submitBatch(
  { processor, target }: Harness,
  specs: (string | Spec)[],
  input: Partial<BatchInput> = {},
): Promise<void> {
  const { admission } = processor;
  await admission.reserve(new AbortController().signal);
  const items = specs.map((spec, index) => {
    const given = typeof spec === 'string' ? { url: spec } : spec;
    const request = resolveRequest(
      { ...given, url: target.url(given.url) },
      { requestId: `item-${index}`, defaults: resolveOptions() },
    );
    return { request, tries: 0, deadlineAt: undefined };
  });
  try {
    await processor.submitBatch({
      key: keyOf('batch'),
      attempt: { number: 1, scheduledAt: 1_000, token: new Uint8Array() },
      scheduledAt: 1_000,
      progress: NO_BATCH_PROGRESS,
      heartbeatTimeout: 60_000,
      items,
      line: 'batch',
      maxBytes: 1_000_000,
      keep: () => 'all',
      ...input,
    });
  } finally {
    admission.release();
  }
}

/** `200`, an error's type, `retry` or `returned`, of each item of the only batch. */
async function endings({ handler }: Harness): Promise<string[]> {
  await waitFor(() => handler.batches.length === 1);
  return handler.batches[0]!.reports.map(({ ending }) => {
    if (ending.kind === 'response') return String(ending.response.status);
    return ending.kind === 'error' ? ending.error.type : ending.kind;
  });
}

const post = (url: string): Spec => ({ url, method: 'POST' });

test('every item has its ending, in order', async () => {
  await using harness = await startHarness();
  await submitBatch(harness, ['/status/201', '/delay/50', '/status/503', '/reset', '/status/404']);
  expect(await endings(harness)).toEqual(['201', '200', 'retry', 'retry', '404']);
  expect(harness.processor.total).toBe(0);
});

test('a batch takes its turns with single requests, and with another batch', async () => {
  await using harness = await startHarness({ maxConnections: 2 });
  const { target } = harness;
  const paths = (name: string) => Array.from({ length: 30 }, (_, i) => `/delay/20?${name}${i}`);
  await submitBatch(harness, paths('a'), { line: 'a', key: keyOf('a') });
  await submitBatch(harness, paths('b'), { line: 'b', key: keyOf('b') });
  await target.waitFor(({ total }) => total >= 4);
  const before = target.total;
  await harness.submit('/status/200?single');
  await target.waitFor(({ hits }) => hits.some(({ path }) => path.endsWith('single')));
  // Both places are taken; the next to be free is the batches', the one after it the single's.
  expect(target.total - before).toBeLessThan(10);
  await waitFor(() => harness.handler.batches.length === 2);
  const order = target.hits.map(({ path }) => path.split('?')[1]![0]);
  // Turn by turn: neither batch is ever far ahead.
  const ahead = order.map((_, i) => {
    const sent = order.slice(0, i + 1);
    return sent.filter((name) => name === 'a').length - sent.filter((name) => name === 'b').length;
  });
  expect(Math.max(...ahead)).toBeLessThanOrEqual(4);
  expect(target.peak).toBe(2);
});

test('what may not be sent again is authorised block by block, before its first byte', async () => {
  await using harness = await startHarness({ maxConnections: 200 });
  const { handler, target } = harness;
  let allow = (): void => undefined;
  const allowed = new Promise<void>((resolve) => (allow = resolve));
  handler.record = async ({ progress }) => {
    handler.recorded.push(progress);
    await allowed;
  };
  await submitBatch(harness, [
    ...Array.from({ length: 120 }, (_, i) => post(`/status/200?${i}`)),
    '/status/204',
  ]);
  await target.waitFor(({ connections }) => connections > 100);
  await waitFor(() => handler.recorded.length === 1);
  // Only the GET is out.
  expect(target.hits.every(({ method }) => method === 'GET')).toBe(true);
  allow();
  expect(await endings(harness)).toEqual([...Array(120).fill('200'), '204']);
  expect(handler.recorded.map(({ next }) => next).toSorted((a, b) => a - b)).toEqual([100, 121]);
});

test('after a crash: what is settled is not sent, what may have been sent is unknown', async () => {
  await using harness = await startHarness();
  const { target } = harness;
  const specs = [
    post('/status/200?0'),
    post('/status/200?1'),
    '/status/200?2',
    post('/status/200?3'),
  ];
  await submitBatch(harness, specs, {
    attempt: { number: 2, scheduledAt: 2_000, token: new Uint8Array() },
    progress: { next: 2, done: 0, returns: 0 },
  });
  expect(await endings(harness)).toEqual([
    'OutcomeUnknownError',
    'OutcomeUnknownError',
    '200',
    '200',
  ]);
  expect(target.hits.map(({ path }) => path).toSorted()).toEqual([
    '/status/200?2',
    '/status/200?3',
  ]);
});

test('a drain gives back what was not sent, and delivers the rest', async () => {
  await using harness = await startHarness({ maxConnections: 3 });
  const { processor, target } = harness;
  await submitBatch(harness, ['/delay/300', post('/hold'), '/hold', '/status/200']);
  await target.waitFor(({ inFlight }) => inFlight === 3);
  const stopped = processor.stop({ shutdownTimeout: 600, drainTimeout: 60_000 });
  await target.waitFor(({ inFlight }) => inFlight === 1);
  target.release();
  expect(await stopped).toBe(0);
  expect(await endings(harness)).toEqual(['200', '200', 'returned', 'returned']);
});

test('a cancel stops what is in flight', async () => {
  await using harness = await startHarness();
  const { target, processor } = harness;
  await submitBatch(harness, ['/status/200', '/hold', '/hold']);
  await target.waitFor(({ held }) => held === 2);
  await harness.liveness.cancel(keyOf('batch'));
  expect(await endings(harness)).toEqual(['200', 'CancelledError', 'CancelledError']);
  await waitFor(() => processor.total === 0);
});
