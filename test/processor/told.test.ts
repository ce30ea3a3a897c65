import { expect, test } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import type { ProcessorObserver } from '../../src/processor/observers.ts';
import { recorder, startHarness, submitBatch } from './harness.ts';

/** What was told of each request's end, by path. */
function listener(): { told: string[]; observer: ProcessorObserver } {
  const told: string[] = [];
  return {
    told,
    observer: {
      requestResponse: ({ request }, { status }) =>
        void told.push(`${new URL(request.url).pathname} ${status}`),
      requestError: ({ request }, { type }) =>
        void told.push(`${new URL(request.url).pathname} ${type}`),
    },
  };
}

test('every delivered ending is told once, also those no try ends with', async () => {
  const { told, observer } = listener();
  await using harness = await startHarness({ observers: [observer], maxCrashes: 0 });
  const attempt = { number: 2, scheduledAt: Date.now(), token: new Uint8Array() };
  const progress = { sent: true, tries: 0, returns: 0 };
  await harness.submit('/status/200');
  await harness.submit('/reset', { spec: { method: 'POST' } });
  await harness.submit('/delay/5000', { deadlineAt: Date.now() + 50 });
  await harness.submit('/bytes/1', { spec: { method: 'POST' }, progress });
  await harness.submit('/drip', { attempt });
  await harness.ended(5);
  expect(told.sort()).toEqual([
    '/bytes/1 OutcomeUnknownError',
    '/delay/5000 TimeoutError',
    '/drip OutcomeUnknownError',
    '/reset ConnectionError',
    '/status/200 200',
  ]);
});

const LOST = { type: 'UnknownError', message: 'The codec is away', phase: 'sent' } as const;
const noEnds = (event: string): boolean => !/^(start|end|full)/.test(event);

test('what is delivered instead of what was told is told once, and as what it is', async () => {
  const events: string[] = [];
  await using harness = await startHarness({ observers: [recorder(events)] });
  const { handler } = harness;
  const finish = handler.finish.bind(handler);
  handler.finish = async (task, ending) => {
    await finish(task, ending);
    task.deliveredError = LOST;
  };
  const paths = ['/status/200', '/status/503', '/reset'];
  for (const [index, path] of paths.entries()) {
    await harness.submit(path, { spec: { method: path === '/reset' ? 'POST' : 'GET' } });
    await harness.ended(index + 1);
  }
  expect(events.filter(noEnds)).toEqual([
    ...['200 /status/200', 'UnknownError instead /status/200'],
    // It was to be tried again, and its workflow was told something else.
    ...['503 /status/503 again', 'UnknownError /status/503'],
    // That it has failed is known already.
    'ConnectionError /reset',
  ]);
});

test('of the items of a batch too', async () => {
  const events: string[] = [];
  await using harness = await startHarness({ observers: [recorder(events)], maxConnections: 1 });
  const { handler, processor } = harness;
  const finishBatch = handler.finishBatch.bind(handler);
  handler.finishBatch = async (batch) => {
    await finishBatch(batch);
    batch.delivered((position) => (position === 0 ? undefined : LOST));
  };
  await submitBatch(harness, ['/status/200', '/status/201', '/status/503']);
  await waitFor(() => handler.batches.length === 1 && processor.total === 0);
  await waitFor(() => events.at(-1) === 'UnknownError /status/503');
  expect(events.filter(noEnds)).toEqual([
    ...['200 /status/200', '201 /status/201', '503 /status/503 again'],
    ...['UnknownError instead /status/201', 'UnknownError /status/503'],
  ]);
});
