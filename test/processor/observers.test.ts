import { expect, test } from 'vitest';
import type { ProcessorObserver, TaskView } from '../../src/processor/observers.ts';
import { waitFor } from '../support/wait-for.ts';
import { recorder, startHarness } from './harness.ts';

const STOP = { shutdownTimeout: 5_000, drainTimeout: 5_000 };

test('each event once, in order, with a pair of start and end per try', async () => {
  const events: string[] = [];
  await using harness = await startHarness({ observers: [recorder(events)] });
  await harness.submit('/status/200');
  await harness.ended(1);
  await harness.submit('/status/503');
  await harness.ended(2);
  await harness.submit('/reset');
  await harness.ended(3);
  await harness.submit('/reset', { spec: { method: 'POST' } });
  await harness.ended(4);
  await harness.processor.stop(STOP);
  expect(events).toEqual([
    'start',
    ...['start /status/200', '200 /status/200', 'end /status/200'],
    ...['start /status/503', '503 /status/503 again', 'end /status/503'],
    ...['start /reset', 'ConnectionError /reset again', 'end /reset'],
    ...['start /reset', 'ConnectionError /reset', 'end /reset'],
    'stop',
  ]);
});

test('what is handed over has its pair, what never started has none', async () => {
  const events: string[] = [];
  await using harness = await startHarness({ observers: [recorder(events)] });
  const { processor, target } = harness;
  await harness.submit('/hold');
  await target.waitFor(({ inFlight }) => inFlight === 1);
  const place = harness.place();
  processor.drain();
  await harness.submit('/never', { place });
  await waitFor(() => harness.handler.endings.length === 1);
  await processor.stop({ shutdownTimeout: 0, drainTimeout: 5_000 });
  expect(harness.handler.kinds).toEqual({ '/never': 'return', '/hold': 'return' });
  expect(events).toEqual(['start', 'start /hold', 'end /hold', 'stop']);
});

test('several observers are told in the order of their registration', async () => {
  const events: string[] = [];
  await using harness = await startHarness({
    observers: [recorder(events, '1 '), recorder(events, '2 ')],
  });
  harness.processor.observe(recorder(events, '3 '));
  await harness.submit('/status/204');
  await harness.ended(1);
  expect(events).toEqual([
    ...['1 start', '2 start', '3 start'],
    ...['1 start /status/204', '2 start /status/204', '3 start /status/204'],
    ...['1 204 /status/204', '2 204 /status/204', '3 204 /status/204'],
    ...['1 end /status/204', '2 end /status/204', '3 end /status/204'],
  ]);
});

test('start comes once, whenever an observer is added', async () => {
  const events: string[] = [];
  await using harness = await startHarness();
  const { processor } = harness;
  processor.observe(recorder(events, 'late '));
  expect(events).toEqual(['late start']);

  await processor.stop(STOP);
  processor.observe(recorder(events, 'stopped '));
  const starting = processor.start();
  processor.observe(recorder(events, 'starting '));
  await starting;
  expect(events.slice(2)).toEqual(['late start', 'stopped start', 'starting start']);
});

test('an observer added by an observer hears of the start once', async () => {
  const events: string[] = [];
  await using harness = await startHarness();
  const { processor } = harness;
  await processor.stop(STOP);
  processor.observe({ start: () => processor.observe(recorder(events)) });
  await processor.start();
  expect(events).toEqual(['start']);
});

test('one that throws or rejects disturbs nobody', async () => {
  const events: string[] = [];
  const thrower = new Proxy<ProcessorObserver>(
    {},
    {
      get: () => () => {
        throw new Error('thrown');
      },
    },
  );
  const rejecter = new Proxy<ProcessorObserver>(
    {},
    {
      get: () => () => Promise.reject(new Error('rejected')),
    },
  );
  await using harness = await startHarness({
    observers: [thrower, rejecter, recorder(events)],
  });
  await harness.submit('/status/200');
  await harness.ended(1);
  await harness.processor.stop(STOP);
  expect(events).toEqual([
    ...['start', 'start /status/200', '200 /status/200', 'end /status/200', 'stop'],
  ]);
  expect(harness.handler.kinds).toEqual({ '/status/200': '200' });
  await waitFor(() => harness.warnings.length === 10);
  expect(harness.warnings[0]).toEqual([
    'An observer failed',
    { event: 'start', error: new Error('thrown') },
  ]);
});

test('the same observer twice is refused', async () => {
  const observer = recorder([]);
  await expect(startHarness({ observers: [observer, observer] })).rejects.toThrow(
    'already registered',
  );
  await using harness = await startHarness({ observers: [observer] });
  expect(() => harness.processor.observe(observer)).toThrow('already registered');
});

test('what an observer sees of a request, its response and its error', async () => {
  const seen: { task: TaskView; of: string; got?: unknown; retryIn: number | undefined }[] = [];
  await using harness = await startHarness({
    observers: [
      {
        requestStart: (task) => void seen.push({ task, of: task.phase, retryIn: undefined }),
        requestResponse: (task, got, retryIn) =>
          void seen.push({ task, of: 'response', got, retryIn }),
        requestError: (task, got, retryIn) => void seen.push({ task, of: 'error', got, retryIn }),
      },
    ],
  });
  await harness.submit('/flaky/k/9/429?retryAfter=7', { spec: { method: 'POST' } });
  await harness.ended(1);
  await harness.submit('/bytes/2000', { spec: { maxResponseSize: 1000 } });
  await harness.ended(2);
  expect(seen).toMatchObject([
    { of: 'connect', task: { tryNumber: 1, request: { method: 'POST' } } },
    { of: 'response', got: { status: 429, attempt: 1 }, retryIn: 7_000 },
    { of: 'connect' },
    { of: 'error', got: { type: 'ResponseTooLargeError' }, retryIn: undefined },
  ]);
  expect(seen[1]!.task).toBe(seen[0]!.task);
  expect(seen[1]!.task.bytes).toBeGreaterThan(0);
});

test('capacityReached when somebody has to wait, not before', async () => {
  const events: string[] = [];
  await using harness = await startHarness({
    maxConnections: 2,
    observers: [{ capacityReached: () => void events.push('full') }],
  });
  const { target } = harness;
  await harness.submit('/hold');
  await harness.submit('/hold');
  expect(harness.processor.admission.tryReserve()).toBe(false);
  expect(events).toEqual([]);
  const third = harness.submit('/hold');
  expect(events).toEqual(['full']);
  await target.waitFor(({ inFlight }) => inFlight === 2);
  target.release();
  await third;
  await target.waitFor(({ inFlight }) => inFlight === 1);
  target.release();
  await harness.ended(3);
  expect(events).toEqual(['full']);
});

test('an observer may submit, observe and ask from inside its events', async () => {
  const events: string[] = [];
  let submitted: Promise<void> | undefined;
  await using harness = await startHarness({
    observers: [
      {
        requestEnd: ({ request }) => {
          const { processor } = harness;
          events.push(`${processor.state} ${processor.inFlight}/${processor.total}`);
          if (request.url.endsWith('/first')) submitted = harness.submit('/status/200/second');
        },
      },
    ],
  });
  await harness.submit('/status/200/first');
  await harness.ended(2);
  await submitted;
  expect(events).toEqual(['running 0/1', 'running 0/1']);
});
