import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { MemoryLiveness } from '../../src/liveness/memory.ts';
import { waitFor } from '../support/wait-for.ts';
import { keyOf, recorder, startHarness } from './harness.ts';

/** Long enough for a loaded machine; no test waits for all of it. */
const LONG = 60_000;

const post = { method: 'POST' } as const;

test('responses within shutdownTimeout are delivered, and the stop ends with the last', async () => {
  await using harness = await startHarness();
  const { processor, target, handler } = harness;
  await Promise.all(['/delay/100', '/delay/200'].map((path) => harness.submit(path)));
  await target.waitFor(({ inFlight }) => inFlight === 2);
  const undelivered = await processor.stop({ shutdownTimeout: LONG, drainTimeout: LONG });
  expect(undelivered).toBe(0);
  expect(handler.kinds).toEqual({ '/delay/100': '200', '/delay/200': '200' });
});

test('five of every kind: each has one ending, none has two', async () => {
  await using harness = await startHarness();
  const { processor, target, handler } = harness;
  const deliver = handler.hold();
  await harness.submit('/status/200');
  await waitFor(() => handler.endings.length === 1);
  await harness.submit('/delay/800');
  await harness.submit('/hold/get');
  await harness.submit('/hold/post', { spec: post });
  await harness.submit('/hold/keyed', { spec: { ...post, idempotencyKey: true } });
  await target.waitFor(({ inFlight }) => inFlight === 4);

  const stopped = processor.stop({ shutdownTimeout: 2_500, drainTimeout: 3_500 });
  await waitFor(() => handler.endings.length === 2);
  deliver();
  // The outcome of the one that is given up.
  expect(await stopped).toBe(1);
  expect(handler.endings).toHaveLength(5);
  expect(handler.kinds).toEqual({
    '/status/200': '200',
    '/delay/800': '200',
    '/hold/get': 'return',
    '/hold/keyed': 'return',
    '/hold/post': 'OutcomeUnknownError',
  });
  await target.waitFor(({ inFlight }) => inFlight === 0);
  expect(target.total).toBe(5);
});

test('what was sent and may not be sent again runs on after shutdownTimeout', async () => {
  await using harness = await startHarness();
  const { processor, target, handler } = harness;
  await harness.submit('/hold/post', { spec: post });
  await harness.submit('/hold/get');
  await target.waitFor(({ inFlight }) => inFlight === 2);
  const stopped = processor.stop({ shutdownTimeout: 0, drainTimeout: LONG });
  await target.waitFor(({ inFlight }) => inFlight === 1);
  expect(handler.kinds).toEqual({ '/hold/get': 'return' });
  target.release();
  expect(await stopped).toBe(0);
  expect(handler.kinds).toMatchObject({ '/hold/post': '200' });
});

test('the last endings reach the handler also with no time to wait', async () => {
  await using harness = await startHarness();
  const { processor, target, handler } = harness;
  handler.accepts = () => new Promise((resolve) => void setImmediate(resolve));
  await harness.submit('/hold/post', { spec: post });
  await harness.submit('/hold/get');
  await target.waitFor(({ inFlight }) => inFlight === 2);
  expect(await processor.stop({ shutdownTimeout: 0, drainTimeout: 0 })).toBe(1);
  expect(handler.open).toBe(0);
  expect(handler.kinds).toEqual({ '/hold/post': 'OutcomeUnknownError', '/hold/get': 'return' });
});

test('stop says how many endings nobody took', async () => {
  const liveness = new MemoryLiveness();
  // As slow as any store that is not in this process.
  const stopStore = liveness.stop.bind(liveness);
  liveness.stop = () => delay(100).then(stopStore);
  await using harness = await startHarness({ liveness });
  const { processor, handler } = harness;
  // A handler gives up once its task is abandoned, as Temporal's does while Temporal is away.
  handler.accepts = async () => {
    await waitFor(() => [...tasks].every(({ abandoned }) => abandoned), { interval: 1 });
  };
  await Promise.all(['/status/200', '/status/201'].map((path) => harness.submit(path)));
  const tasks = [...processor.tasks] as unknown as { abandoned: boolean }[];
  await waitFor(() => handler.endings.length === 2);
  const drain = { shutdownTimeout: 0, drainTimeout: 0 };
  expect(await processor.stop(drain)).toBe(2);
  expect(handler.open).toBe(0);
  expect(processor.total).toBe(0);
  expect(await processor.stop(drain)).toBe(2);
});

test('a store that fails to stop does not keep the processor from it', async () => {
  const events: string[] = [];
  const liveness = new MemoryLiveness();
  liveness.stop = () => Promise.reject(new Error('gone'));
  await using harness = await startHarness({ liveness, observers: [recorder(events)] });
  expect(await harness.processor.stop({ shutdownTimeout: 0, drainTimeout: 0 })).toBe(0);
  expect(harness.processor.state).toBe('stopped');
  expect(events).toEqual(['start', 'stop']);
  expect(harness.warnings).toHaveLength(1);
});

test('what arrives while it drains is given back unsent', async () => {
  await using harness = await startHarness();
  const { processor, target, handler } = harness;
  await harness.submit('/hold');
  await target.waitFor(({ inFlight }) => inFlight === 1);
  const [first, second, third] = [harness.place(), harness.place(), harness.place()];
  processor.drain();
  await harness.submit('/draining', { place: first });
  const stopped = processor.stop({ shutdownTimeout: LONG, drainTimeout: LONG });
  await harness.submit('/stopping', { place: second });
  await waitFor(() => handler.endings.length === 2);
  target.release();
  await stopped;
  await harness.submit('/stopped', { place: third });
  await waitFor(() => handler.endings.length === 4);
  expect(handler.kinds).toEqual({
    '/draining': 'return',
    '/stopping': 'return',
    '/stopped': 'return',
    '/hold': '200',
  });
  expect(target.total).toBe(1);
});

test('a mark of an earlier attempt survives a hand-over: what may be sent is not sent again', async () => {
  await using harness = await startHarness();
  const { processor, handler } = harness;
  const place = harness.place();
  processor.drain();
  const attempt = { number: 2, scheduledAt: Date.now(), token: new Uint8Array() };
  const progress = { sent: true, tries: 0, returns: 0 };
  await harness.submit('/sent-before', { spec: post, attempt, progress, place });
  await waitFor(() => handler.endings.length === 1);
  expect(handler.kinds).toEqual({ '/sent-before': 'OutcomeUnknownError' });
});

test('a newer attempt attaches to what is in flight, also while it drains', async () => {
  await using harness = await startHarness();
  const { processor, target, handler } = harness;
  const key = keyOf('one');
  await harness.submit('/hold', { key });
  await target.waitFor(({ inFlight }) => inFlight === 1);
  const place = harness.place();
  const stopped = processor.stop({ shutdownTimeout: LONG, drainTimeout: LONG });
  const attempt = { number: 2, scheduledAt: Date.now() + 1, token: new Uint8Array([2]) };
  await harness.submit('/hold', { key, attempt, place });
  expect([...processor.tasks]).toMatchObject([
    { attempt: { number: 2 }, progress: { returns: 1 } },
  ]);
  target.release();
  await stopped;
  expect(handler.endings).toHaveLength(1);
  expect(target.total).toBe(1);
});

test('an answer that comes after the hand-over fires nothing', async () => {
  const events: string[] = [];
  await using harness = await startHarness({
    observers: [{ requestResponse: (_, { status }) => void events.push(`${status}`) }],
  });
  const { processor, target, handler } = harness;
  await harness.submit('/drip?count=3&interval=50');
  await harness.submit('/hold');
  await target.waitFor(({ inFlight }) => inFlight === 2);
  await processor.stop({ shutdownTimeout: 0, drainTimeout: LONG });
  await target.waitFor(({ inFlight }) => inFlight === 0);
  expect(target.hits.every(({ aborted }) => aborted)).toBe(true);
  expect(events).toEqual([]);
  expect(handler.kinds).toEqual({ '/drip': 'return', '/hold': 'return' });
});

test('a POST that has no connection yet is handed over', async () => {
  await using harness = await startHarness();
  const { processor, handler, target } = harness;
  let connected = (): void => undefined;
  const gate = new Promise<void>((resolve) => (connected = resolve));
  handler.markSent = () => gate;
  await harness.submit('/hold', { spec: post });
  await target.waitFor(({ connections }) => connections === 1);
  await processor.stop({ shutdownTimeout: 0, drainTimeout: LONG });
  connected();
  expect(handler.kinds).toEqual({ '/hold': 'return' });
  await target.waitFor(({ open }) => open === 0);
  expect(target.total).toBe(0);
});

test('too many crashes end a request before it is sent', async () => {
  await using harness = await startHarness({ maxCrashes: 1 });
  const { handler, target } = harness;
  const attempt = { number: 3, scheduledAt: Date.now(), token: new Uint8Array() };
  await harness.submit('/status/200', { attempt, progress: { sent: false, tries: 1, returns: 0 } });
  await harness.submit('/status/201', { attempt, progress: { sent: false, tries: 0, returns: 2 } });
  await harness.submit('/status/202', { attempt });
  await harness.ended(3);
  expect(handler.kinds).toEqual({
    '/status/200': '200',
    '/status/201': '201',
    '/status/202': 'OutcomeUnknownError',
  });
  expect(target.count('/status/202')).toBe(0);
});
