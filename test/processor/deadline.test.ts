import { expect, test } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { startHarness } from './harness.ts';

const MESSAGE = /deadline/;

test('a request on the wire ends at its deadline', async () => {
  await using harness = await startHarness();
  const { handler, target } = harness;
  await harness.submit('/hold', { spec: { deadline: 1_000 }, deadlineAt: Date.now() + 1_000 });
  await target.waitFor(({ inFlight }) => inFlight === 1);
  await harness.ended(1);
  expect(handler.endings).toMatchObject([
    {
      ending: {
        outcome: {
          error: { type: 'TimeoutError', phase: 'sent', message: expect.stringMatching(MESSAGE) },
        },
      },
    },
  ]);
  await target.waitFor(({ hits }) => hits[0]!.aborted);
});

test('one that waited too long for its place is not sent', async () => {
  await using harness = await startHarness({ maxConnections: 1 });
  const { handler, target } = harness;
  await harness.submit('/hold');
  const deadlineAt = Date.now() + 200;
  const late = harness.submit('/late', { spec: { deadline: 200 }, deadlineAt });
  await target.waitFor(({ held }) => held === 1);
  await waitFor(() => Date.now() > deadlineAt);
  target.release();
  await late;
  await harness.ended(2);
  expect(handler.kinds).toEqual({ '/hold': '200', '/late': 'TimeoutError' });
  expect(handler.endings[1]).toMatchObject({ ending: { outcome: { error: { phase: 'queued' } } } });
  expect(target.count('/late')).toBe(0);
});

test('no try is planned beyond it: the last response is delivered instead', async () => {
  await using harness = await startHarness();
  const spec = { retry: { initialInterval: '1h', maximumInterval: '1h' } };
  await harness.submit('/status/503', { spec, deadlineAt: Date.now() + 30_000 });
  await harness.submit('/status/502', { spec });
  await harness.ended(2);
  expect(harness.handler.kinds).toEqual({ '/status/503': '503', '/status/502': 'retry' });
});

test('a response in hand at the deadline is delivered', async () => {
  await using harness = await startHarness();
  const { handler, processor } = harness;
  const accept = handler.hold();
  await harness.submit('/status/200', { deadlineAt: Date.now() + 1_000 });
  // Another request's deadline, set later, passes while the first one's response waits.
  await harness.submit('/hold', { deadlineAt: Date.now() + 1_500 });
  await harness.target.waitFor(({ hits }) =>
    hits.some(({ path, aborted }) => path === '/hold' && aborted),
  );
  expect(processor.total).toBe(2);
  accept();
  await harness.ended(2);
  expect(handler.kinds).toEqual({ '/status/200': '200', '/hold': 'TimeoutError' });
});
