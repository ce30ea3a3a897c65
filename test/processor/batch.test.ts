import { afterEach, expect, test, vi } from 'vitest';
import { MemoryLiveness } from '../../src/liveness/memory.ts';
import type { Liveness } from '../../src/liveness/port.ts';
import type { ItemReport } from '../../src/processor/batch-task.ts';
import { waitFor } from '../support/wait-for.ts';
import { keyOf, startHarness, submitBatch, type BatchRequest, type Harness } from './harness.ts';

afterEach(() => void vi.useRealTimers());

/** `200`, an error's type, `retry` or `returned`, of each item of the only batch. */
async function endings({ handler }: Harness): Promise<string[]> {
  await waitFor(() => handler.batches.length === 1);
  return handler.batches[0]!.reports.map(({ ending }) => {
    if (ending.kind === 'response') return String(ending.response.status);
    return ending.kind === 'error' ? ending.error.type : ending.kind;
  });
}

const post = (url: string): BatchRequest => ({ url, method: 'POST' });

test('every item has its ending, in order', async () => {
  await using harness = await startHarness();
  await submitBatch(harness, ['/status/201', '/delay/50', '/status/503', '/reset', '/status/404']);
  expect(await endings(harness)).toEqual(['201', '200', 'retry', 'retry', '404']);
  expect(harness.processor.total).toBe(0);
});

test('what is to be tried again has waited for the others meanwhile', async () => {
  await using harness = await startHarness();
  await submitBatch(harness, ['/flaky/busy/1?retryAfter=30', '/delay/1000']);
  expect(await endings(harness)).toEqual(['retry', '200']);
  const [{ ending }] = harness.handler.batches[0]!.reports as [ItemReport];
  expect((ending as { delay: number }).delay).toBeGreaterThan(20_000);
  expect((ending as { delay: number }).delay).toBeLessThan(29_500);
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
  await submitBatch(harness, ['/delay/800', post('/hold'), '/hold', '/status/200']);
  await target.waitFor(({ inFlight }) => inFlight === 3);
  const stopped = processor.stop({ shutdownTimeout: 2_500, drainTimeout: 60_000 });
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

/** Until the batches before `count` have ended, what came of the last: `returned` if it went back. */
async function ofBatch({ handler }: Harness, count: number): Promise<Set<string>> {
  await waitFor(() => handler.batches.length === count);
  return new Set(handler.batches.at(-1)!.reports.map(({ ending }) => ending.kind));
}

test('a full processor gives back what more comes of a batch, and takes in single requests', async () => {
  await using harness = await startHarness({ maxConnections: 5 });
  const { target, processor, handler } = harness;
  const chunk = (i: number, line: string) =>
    submitBatch(harness, Array(50).fill('/hold'), { key: keyOf(`${line}${i}`), line });
  await chunk(0, 'a');
  await target.waitFor(({ held }) => held === 5);
  for (let i = 1; i < 50; i++) await chunk(i, 'a');
  expect(await ofBatch(harness, 49)).toEqual(new Set(['returned']));
  expect(processor.total).toBe(50);
  const delays = handler.batches.map(({ returnsIn }) => returnsIn!);
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(1_000);
  // Another batch has its turns, and a single request its own.
  await chunk(0, 'b');
  await harness.submit('/status/200');
  await waitFor(() => processor.total === 101);
  target.release();
  await target.waitFor(({ hits }) => hits.some(({ path }) => path === '/status/200'));
  // Alone it goes on: what comes back finds room once the others have their places.
  const releasing = setInterval(() => target.release(), 5);
  await waitFor(() => handler.batches.length === 51 && processor.total === 0);
  await chunk(50, 'a');
  expect(await ofBatch(harness, 52)).toEqual(new Set(['response']));
  clearInterval(releasing);
});

test('what cannot be delivered keeps more of batches out, what has only just ended does not', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  await using harness = await startHarness({ maxConnections: 5 });
  const { handler } = harness;
  let deliver = (): void => undefined;
  const delivered = new Promise<void>((resolve) => (deliver = resolve));
  handler.finishBatch = async (batch) => {
    handler.batches.push(batch);
    await delivered;
    batch.tryClose(batch.attempt);
  };
  const chunk = async (count: number) => {
    await submitBatch(harness, Array(3).fill('/status/200'), { key: keyOf(`${count}`) });
    return ofBatch(harness, count);
  };
  for (const count of [1, 2, 3]) expect(await chunk(count)).toEqual(new Set(['response']));
  vi.advanceTimersByTime(11_000);
  expect(await chunk(4)).toEqual(new Set(['returned']));
  expect(handler.batches[3]!.returnsIn).toBeGreaterThanOrEqual(1_000);
  deliver();
  await waitFor(() => handler.open === 0);
  expect(await chunk(5)).toEqual(new Set(['response']));
});

test('what items ended with is told while it waits, for the others and for its delivery', async () => {
  await using harness = await startHarness();
  const { handler, processor, target } = harness;
  let deliver = (): void => undefined;
  const delivered = new Promise<void>((resolve) => (deliver = resolve));
  handler.finishBatch = async (batch) => {
    handler.batches.push(batch);
    await delivered;
    batch.tryClose(batch.attempt);
  };
  const paths = ['/status/200', '/status/503', post('/status/201'), '/hold', post('/hold')];
  await submitBatch(harness, paths);
  await waitFor(() => processor.endedItems.count === 3);
  // Temporal is not kept waiting: the chunk is not done.
  expect(processor.endedItems).toEqual({ count: 3, unkept: 3, deliveringFor: 0 });
  expect(processor.total).toBe(5);
  expect(processor.unkept).toBe(3);
  expect(processor.summary.drain).toEqual({ handOver: 1, onWire: 1, delivering: 3 });
  target.release();
  await waitFor(() => handler.batches.length === 1);
  expect(processor.summary.drain).toEqual({ handOver: 0, onWire: 0, delivering: 5 });
  await waitFor(() => processor.endedItems.deliveringFor > 0);
  deliver();
  await waitFor(() => processor.total === 0);
  expect(processor.endedItems).toEqual({ count: 0, unkept: 0, deliveringFor: 0 });
});

test('what is kept is on its way, too, and not lost with the process', async () => {
  const keeps = new Set([0, 2]);
  const liveness: Liveness = new MemoryLiveness();
  liveness.settle = async ({ index }) => keeps.has(index!);
  await using harness = await startHarness({ liveness });
  const { processor, target } = harness;
  await submitBatch(harness, ['/status/200', '/status/200', '/status/200', '/hold']);
  await waitFor(() => processor.endedItems.count === 3);
  expect(processor.endedItems.unkept).toBe(1);
  expect(processor.unkept).toBe(1);
  target.release();
});

test('thousands of requests do not start in one turn of the event loop', async () => {
  const starts: number[] = [0];
  const observer = { requestStart: () => void starts[starts.length - 1]!++ };
  await using harness = await startHarness({ maxConnections: 4_000, observers: [observer] });
  let turn = setImmediate(function next() {
    starts.push(0);
    turn = setImmediate(next);
  });
  await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      submitBatch(harness, Array(500).fill('/hold'), { key: keyOf(String(i)) }),
    ),
  );
  await harness.target.waitFor(({ held }) => held === 4_000);
  clearImmediate(turn);
  expect(starts.reduce((sum, each) => sum + each)).toBe(4_000);
  expect(Math.max(...starts)).toBeLessThan(2_000);
});
