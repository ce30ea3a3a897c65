import { expect, test } from 'vitest';
import type { ProcessorObserver } from '../../src/processor/observers.ts';
import { startHarness } from './harness.ts';

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
