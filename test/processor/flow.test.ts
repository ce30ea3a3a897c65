import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { RequestSpec } from '../../src/shared/wire.ts';
import { memoryFlow } from '../flow/processes.ts';
import { worstExcess } from '../flow/windows.ts';
import { waitFor } from '../support/wait-for.ts';
import { keyOf, startHarness, submitBatch, type Harness } from './harness.ts';

const one: Partial<RequestSpec> = { flow: { key: 'one', concurrency: 1 } };

async function queued(harness: Harness, count: number): Promise<void> {
  await waitFor(
    () => [...harness.processor.tasks].filter((t) => t.phase === 'queued').length === count,
  );
}

test('who waits for a key keeps no place from others', async () => {
  await using harness = await startHarness({ maxConnections: 2 });
  const { target } = harness;
  for (let i = 0; i < 6; i++) await harness.submit(`/hold/limited/${i}`, { spec: one });
  await queued(harness, 5);
  for (let i = 0; i < 3; i++) await harness.submit('/status/200');
  await waitFor(() => harness.handler.endings.length === 3);
  expect(target.held).toBe(1);
  for (let i = 0; i < 6; i++) {
    await target.waitFor(({ held }) => held === 1);
    target.release();
  }
  await harness.ended(9);
  expect(target.hits.map(({ path }) => path).filter((path) => path.startsWith('/hold'))).toEqual(
    [0, 1, 2, 3, 4, 5].map((i) => `/hold/limited/${i}`),
  );
});

test('two thousand that wait for a key, in batches or not, leave all places to others', async () => {
  await using harness = await startHarness({ maxConnections: 4 });
  const { target, handler, processor } = harness;
  const limited = { ...one, url: '/hold' };
  const batch = (line: string, ...specs: Parameters<typeof submitBatch>[1]) =>
    submitBatch(harness, specs, { line, key: keyOf(line) });
  await batch('limited', ...Array<typeof limited>(1_000).fill(limited));
  // Each request of it that is not limited goes by those before it.
  await batch('mixed', ...Array.from({ length: 200 }, (_, i) => (i % 2 ? '/echo' : limited)));
  for (let i = 0; i < 900; i++) await harness.submit('/hold', { spec: one });
  await target.waitFor(({ hits }) => hits.filter(({ path }) => path === '/echo').length === 100);
  await queued(harness, 1_999);

  await batch('free', ...Array<string>(400).fill('/delay/5'));
  for (let i = 0; i < 100; i++) await harness.submit('/status/200');
  await waitFor(() => handler.batches.length === 1 && handler.endings.length === 100);
  expect(handler.batches[0]!.line).toBe('free');
  expect(target.held).toBe(1);
  // One place for the limited key, three for the others.
  expect(target.peak).toBe(4);
  // With the hundred whose outcomes wait for the rest of their batch.
  expect(processor.total).toBe(2_100);
});

test('limits by host need no spec, and a spec goes before them', async () => {
  await using harness = await startHarness();
  await using limited = await startHarness({
    flow: memoryFlow({ limits: { [new URL(harness.target.url()).host]: { concurrency: 1 } } }),
  });
  const url = harness.target.url('/hold');
  await limited.submit('/', { spec: { url } });
  await limited.submit('/', { spec: { url } });
  await queued(limited, 1);
  await harness.target.waitFor(({ held }) => held === 1);
  await limited.submit('/', { spec: { url, flow: { concurrency: 3 } } });
  await harness.target.waitFor(({ held }) => held === 3);
  harness.target.release();
  await limited.ended(3);
});

test('what is set for a key that nothing limited reaches those that wait for a place', async () => {
  const flow = memoryFlow();
  await using harness = await startHarness({ flow, maxConnections: 4 });
  const { target, processor, handler } = harness;
  const { host } = new URL(target.url());
  await submitBatch(harness, Array<string>(12).fill('/hold'));
  await target.waitFor(({ held }) => held === 4);
  await flow.admin.pause(host);
  target.release();
  await waitFor(() => [...processor.tasks].filter((t) => t.waitingFor === host).length === 8);
  expect(target.total).toBe(4);
  // They keep no place meanwhile.
  const elsewhere = `${target.url('/echo')}`.replace('127.0.0.1', 'localhost');
  await harness.submit('/', { spec: { url: elsewhere } });
  await waitFor(() => handler.endings.length === 1);

  await flow.admin.set(host, { concurrency: 2 });
  await flow.admin.resume(host);
  for (let ended = 0; ended < 8; ended += 2) {
    await target.waitFor(({ held }) => held === 2);
    target.release();
  }
  await waitFor(() => handler.batches.length === 1);
  expect(target.total).toBe(13);
});

test('cancelled, past its deadline, or attached to while it waits', async () => {
  await using harness = await startHarness();
  const { target, processor, handler } = harness;
  await harness.submit('/hold/first', { spec: one });
  await target.waitFor(({ held }) => held === 1);
  const keys = [keyOf('cancel'), keyOf('attach')] as const;
  await harness.submit('/hold/cancel', { spec: one, key: keys[0] });
  await harness.submit('/hold/late', { spec: one, deadlineAt: Date.now() + 200 });
  await harness.submit('/echo/attached', { spec: one, key: keys[1] });
  await queued(harness, 3);
  const attempt = { number: 2, scheduledAt: Date.now() + 1, token: new Uint8Array([2]) };
  await harness.submit('/echo/attached', { spec: one, key: keys[1], attempt });
  const [task] = [...processor.tasks].filter(({ key }) => key.workflowId === 'attach');
  expect(task).toMatchObject({ attempt, phase: 'queued' });
  for (const each of processor.tasks) {
    if (each.key.workflowId === 'cancel') (each as unknown as Interruptible).interrupt('cancelled');
  }
  await waitFor(() => handler.endings.length === 2);
  expect(handler.kinds).toEqual({ '/hold/cancel': 'cancelled', '/hold/late': 'TimeoutError' });
  target.release();
  await harness.ended(4);
  expect(target.hits.map(({ path }) => path)).toEqual(['/hold/first', '/echo/attached']);
});

test('a drain gives back what waits', async () => {
  await using harness = await startHarness();
  const { target, processor, handler } = harness;
  await harness.submit('/hold/sent', { spec: one });
  await target.waitFor(({ held }) => held === 1);
  for (let i = 0; i < 3; i++) await harness.submit(`/waits/${i}`, { spec: one });
  await queued(harness, 3);
  const stopped = processor.stop({ shutdownTimeout: 5_000, drainTimeout: 5_000 });
  await waitFor(() => handler.endings.length === 3);
  expect(Object.values(handler.kinds)).toEqual(['return', 'return', 'return']);
  target.release();
  expect(await stopped).toBe(0);
});

test('long waits go back to Temporal with a delay, unless the deadline is nearer', async () => {
  await using harness = await startHarness({ flow: memoryFlow({ maxWait: 1_000 }) });
  const spec = { flow: { key: 'slow', rate: 1, period: '30s' } };
  await harness.submit('/status/200', { spec });
  await harness.submit('/later', { spec });
  await harness.submit('/soon', { spec, deadlineAt: Date.now() + 10_000 });
  await harness.submit('/never', { spec, deadlineAt: Date.now() + 500 });
  await harness.ended(4);
  const ending = (path: string) =>
    harness.handler.endings.find((each) => each.path === path)?.ending;
  expect(ending('/later')).toMatchObject({ kind: 'return' });
  expect((ending('/later') as { delay: number }).delay).toBeGreaterThan(20_000);
  expect((ending('/soon') as { delay: number }).delay).toBeLessThanOrEqual(9_000);
  expect(harness.handler.kinds['/never']).toBe('TimeoutError');
});

test('what has waited for Temporal in the gate gets a new time', async () => {
  await using harness = await startHarness();
  const { target, handler } = harness;
  const limits = { rate: 10, period: 1_000 };
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  handler.markSent = () => opened;
  for (let i = 0; i < 10; i++) {
    await harness.submit('/status/200', {
      spec: { method: 'POST', flow: { key: 'gate', ...limits } },
    });
  }
  await waitFor(() => target.connections === 10);
  expect(target.total).toBe(0);
  open();
  await harness.ended(10);
  // All at once they would be ten; some come together where this process is late to see them.
  expect(worstExcess(target.hits, limits)).toBeLessThan(8);
});

test('a try that times out in the gate leaves its permit to others, once', async () => {
  const control = memoryFlow();
  await using harness = await startHarness({ flow: control });
  const flow = { key: 'gate', rate: 1, period: '2s', concurrency: 1 };
  await harness.submit('/status/200', { spec: { flow } });
  await harness.ended(1);
  const { handler } = harness;
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  handler.markSent = () => opened;
  await harness.submit('/late', {
    spec: { flow, method: 'POST', timeout: 800, retry: { maximumAttempts: 1 } },
  });
  await waitFor(() => harness.target.connections > 1);
  await waitFor(() => handler.endings.length === 2);
  open();
  await harness.submit('/status/201', { spec: { flow } });
  await harness.ended(3);
  expect(handler.kinds).toEqual({
    '/status/200': '200',
    '/late': 'return',
    '/status/201': '201',
  });
  await expect.poll(async () => (await control.admin.show('gate')).inFlight).toBe(0);
});

test('Retry-After holds back the others of the key, and their retries', async () => {
  await using harness = await startHarness();
  const id = randomUUID();
  const spec = { flow: { key: 'cool', concurrency: 1 } };
  await harness.submit(`/flaky/${id}/1/429?retryAfter=1`, { spec });
  await harness.submit('/status/200', { spec });
  await harness.ended(2);
  const [first, second] = harness.target.hits;
  expect(second!.at - first!.at).toBeGreaterThan(990);
});

interface Interruptible {
  interrupt(reason: 'cancelled'): void;
}
