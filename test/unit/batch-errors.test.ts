import { expect, test } from 'vitest';
import { lastTryError, noRoomError } from '../../workflows/batch-errors.ts';

const context = {
  ...{ requestId: 'r', url: 'http://target.test/', method: 'POST' },
  ...{ durationMs: 0, attempt: 1 },
} as const;
const item = { index: 0, spec: context.url, tries: 0 };

test.each([
  ['never sent', item, 'queued'],
  ['tried before', { ...item, tries: 1 }, 'sent'],
  ['sent, and its outcome lost', { ...item, sent: true }, 'sent'],
])('without room in history, one that was %s', (_, each, phase) => {
  expect(noRoomError(each, context)).toMatchObject({ type: 'ResponseTooLargeError', phase });
  expect(lastTryError(undefined, each, context)).toMatchObject({ type: 'UnknownError', phase });
});
