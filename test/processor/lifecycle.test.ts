import { expect, test } from 'vitest';
import { MemoryLiveness } from '../../src/liveness/memory.ts';
import type { ProcessorState } from '../../src/processor/processor.ts';
import { waitFor } from '../support/wait-for.ts';
import { keyOf, kindOf, recorder, startHarness } from './harness.ts';

const STOP = { shutdownTimeout: 5_000, drainTimeout: 5_000 };
const NOW = { shutdownTimeout: 0, drainTimeout: 0 };

test('stopped → starting → running → draining → stopping → stopped, and again', async () => {
  await using harness = await startHarness();
  const { processor } = harness;
  await processor.stop(NOW);
  for (const round of [1, 2]) {
    const states: ProcessorState[] = [processor.state];
    const started = processor.start();
    states.push(processor.state);
    await started;
    states.push(processor.state);
    processor.drain();
    states.push(processor.state);
    const stopped = processor.stop(NOW);
    states.push(processor.state);
    await stopped;
    states.push(processor.state);
    expect(states, `round ${round}`).toEqual([
      'stopped',
      'starting',
      'running',
      'draining',
      'stopping',
      'stopped',
    ]);
  }
});

test('a restarted processor works, also on a request it knew before', async () => {
  await using harness = await startHarness();
  const { processor } = harness;
  const key = keyOf('again');
  await harness.submit('/status/201', { key });
  await harness.ended(1);
  await processor.stop(STOP);
  await processor.start();
  await harness.submit('/status/202', { key });
  await harness.ended(2);
  expect(harness.handler.kinds).toEqual({ '/status/201': '201', '/status/202': '202' });
});

test('what is no step from a state does nothing', async () => {
  const events: string[] = [];
  await using harness = await startHarness({ observers: [recorder(events)] });
  const { processor } = harness;
  await processor.start();
  expect(processor.state).toBe('running');

  processor.drain();
  processor.drain();
  await processor.start();
  expect(processor.state).toBe('draining');

  await processor.stop(NOW);
  processor.drain();
  await processor.stop(NOW);
  expect(processor.state).toBe('stopped');
  expect(events).toEqual(['start', 'stop']);
});

test('stop while it starts is no step; concurrent starts and stops end in one state', async () => {
  const events: string[] = [];
  await using harness = await startHarness({ observers: [recorder(events)] });
  const { processor } = harness;
  await processor.stop(NOW);
  const starting = processor.start();
  await processor.stop(NOW);
  await starting;
  expect(processor.state).toBe('running');

  for (let i = 0; i < 20; i++) {
    await Promise.all([processor.stop(NOW), processor.start(), processor.stop(NOW)]);
    expect(processor.state).toBe('stopped');
    await Promise.all([processor.start(), processor.start()]);
    expect(processor.state).toBe('running');
  }
  expect(events.filter((event) => event === 'start')).toHaveLength(22);
  expect(events.filter((event) => event === 'stop')).toHaveLength(21);

  await harness.submit('/status/200');
  await harness.ended(1);
});

test('a second stop waits for the first', async () => {
  await using harness = await startHarness();
  const { processor, target } = harness;
  await harness.submit('/hold');
  await target.waitFor(({ inFlight }) => inFlight === 1);
  const first = processor.stop(STOP);
  const second = processor.stop(STOP);
  expect(processor.state).toBe('stopping');
  target.release();
  expect(await Promise.all([second, first])).toEqual([0, 0]);
  expect(processor.state).toBe('stopped');
  expect(harness.handler.kinds).toEqual({ '/hold': '200' });
});

test('an observer may stop the processor, and wait for it', async () => {
  let stopped: Promise<number> | undefined;
  await using harness = await startHarness({
    observers: [
      {
        requestResponse: async () => {
          stopped = harness.processor.stop(STOP);
          await stopped;
        },
      },
    ],
  });
  await harness.submit('/status/200');
  await waitFor(() => stopped !== undefined);
  expect(await stopped).toBe(0);
  expect(harness.processor.state).toBe('stopped');
  expect(harness.handler.kinds).toEqual({ '/status/200': '200' });
});

test('an observer may stop it as soon as it starts', async () => {
  await using harness = await startHarness({
    observers: [{ start: () => void harness?.processor.stop(NOW) }],
  });
  await harness.processor.stop(NOW);
  await harness.processor.start();
  expect(harness.processor.state).toBe('stopping');
  await harness.processor.stop(NOW);
  expect(harness.processor.state).toBe('stopped');
});

test('total counts what is here, inFlight what is on the wire, taken what has a place', async () => {
  await using harness = await startHarness();
  const { processor, handler, target } = harness;
  const accept = handler.hold();
  const counts = () => [processor.total, processor.inFlight, processor.taken];
  expect(counts()).toEqual([0, 0, 0]);
  await harness.submit('/hold?1');
  await harness.submit('/hold?2');
  await target.waitFor(({ inFlight }) => inFlight === 2);
  expect(counts()).toEqual([2, 2, 2]);
  expect([...processor.tasks].map(({ phase }) => phase)).toEqual(['sent', 'sent']);
  target.release();
  await waitFor(() => processor.inFlight === 0);
  expect(counts()).toEqual([2, 0, 2]);
  expect([...processor.tasks].map(({ phase }) => phase)).toEqual(['delivering', 'delivering']);
  accept();
  await harness.ended(2);
  expect(counts()).toEqual([0, 0, 0]);
});

test('a handler with a defect costs its request only', async () => {
  await using harness = await startHarness();
  const { processor, handler } = harness;
  handler.accepts = () => Promise.reject(new Error('a defect'));
  await harness.submit('/status/200');
  await waitFor(() => harness.warnings.length === 2 && processor.total === 0);
  handler.accepts = () => Promise.resolve();
  await harness.submit('/status/201');
  await harness.ended(3);
  expect(harness.warnings.map(([message]) => message)).toEqual([
    'A request ended by a defect',
    'A request is left to its heartbeat timeout',
  ]);
});

test('after a defect Temporal learns what is known of the request', async () => {
  await using harness = await startHarness();
  const { handler } = harness;
  const failOnce = (): Promise<void> => {
    handler.accepts = () => Promise.resolve();
    return Promise.reject(new Error('a defect'));
  };
  handler.accepts = failOnce;
  await harness.submit('/status/200');
  await waitFor(() => handler.endings.length === 2);
  expect(handler.kinds).toEqual({ '/status/200': 'return' });
  handler.accepts = failOnce;
  await harness.submit('/status/201', { spec: { method: 'POST' } });
  await waitFor(() => handler.endings.length === 4);
  expect(handler.kinds['/status/201']).toBe('OutcomeUnknownError');
});

test('a defect while the store is away costs its request only', async () => {
  const liveness = new MemoryLiveness();
  liveness.release = () => Promise.reject(new Error('away'));
  await using harness = await startHarness({ liveness });
  harness.handler.accepts = () => Promise.reject(new Error('a defect'));
  await harness.submit('/status/200');
  await waitFor(() => harness.warnings.length === 3 && harness.processor.total === 0);
});

test('a full processor makes its submitters wait, in order, and refuses nobody', async () => {
  await using harness = await startHarness({ maxConnections: 2 });
  const { processor, target } = harness;
  const paths = Array.from({ length: 12 }, (_, i) => `/delay/20?${i}`);
  const submitted = paths.map((path) => harness.submit(path));
  await Promise.all(submitted);
  await harness.ended(12);
  expect(target.peak).toBe(2);
  expect(target.hits.map(({ path }) => path)).toEqual(paths);
  expect(processor.admission.tryReserve()).toBe(true);
  expect(processor.admission.tryReserve()).toBe(true);
  expect(processor.admission.tryReserve()).toBe(false);
});

test('who gives up waiting for a place leaves it to the next', async () => {
  await using harness = await startHarness({ maxConnections: 1 });
  const { admission } = harness.processor;
  await admission.reserve(new AbortController().signal);
  const giver = new AbortController();
  const first = admission.reserve(giver.signal);
  const second = admission.reserve(new AbortController().signal);
  const reason = new Error('no more');
  giver.abort(reason);
  await expect(first).rejects.toBe(reason);
  await expect(admission.reserve(giver.signal)).rejects.toBe(reason);
  admission.release();
  await second;
  expect(admission.tryReserve()).toBe(false);
  admission.release();
  expect(admission.tryReserve()).toBe(true);
});

test('no place is granted but while it runs', async () => {
  const events: string[] = [];
  await using harness = await startHarness({ observers: [recorder(events)] });
  const { processor } = harness;
  processor.drain();
  expect(processor.admission.tryReserve()).toBe(false);
  let granted = false;
  const place = harness.place().then(() => (granted = true));
  await processor.stop(NOW);
  expect(granted).toBe(false);
  await processor.start();
  await place;
  // Who waits for the start does not wait for room.
  expect(events).toEqual(['start', 'stop', 'start']);
});

test('a POST that was redirected to a GET is not sent again for what the GET was told', async () => {
  await using harness = await startHarness();
  const { handler, target } = harness;
  const to = encodeURIComponent('/flaky/receipt/9/429?retryAfter=0');
  const spec = { method: 'POST' } as const;
  await harness.submit(`/redirect-to?status=303&url=${to}`, { spec });
  await harness.submit(`/redirect-to?status=307&url=${to}`, { spec });
  await harness.ended(2);
  expect(handler.endings.map(({ ending }) => kindOf(ending)).toSorted()).toEqual(['429', 'retry']);
  expect(target.total).toBe(4);
});
