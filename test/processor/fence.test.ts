import { expect, test } from 'vitest';
import { keyOf, startHarness } from './harness.ts';

test('a request held before its first byte is not sent once another process has sent it', async () => {
  await using harness = await startHarness();
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  harness.handler.markSent = () => gate;
  const key = keyOf('held');
  const spec = { method: 'POST' } as const;
  const attempt = (number: number) => ({
    number,
    scheduledAt: number * 1_000,
    token: new Uint8Array([number]),
  });
  await harness.submit('/status/200', { spec, key, attempt: attempt(1) });
  await harness.target.waitFor(({ open: sockets }) => sockets === 1);

  // Attempt 2 ran elsewhere: it marked the request, sent it, and its process was lost. Attempt 3
  // comes here, finds the task of attempt 1 and gives it a token with which a mark is accepted.
  const progress = { sent: true, tries: 0, returns: 0 };
  await harness.submit('/status/200', { spec, key, attempt: attempt(3), progress });
  open();
  await harness.ended(1);
  expect(harness.handler.kinds).toEqual({ '/status/200': 'OutcomeUnknownError' });
  expect(harness.target.total).toBe(0);
});

test('after a reset the numbers of attempts say nothing: a mark that was not made here is not ours', async () => {
  await using harness = await startHarness();
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  harness.handler.markSent = () => gate;
  const key = keyOf('reset');
  const spec = { method: 'POST' } as const;
  const attempt = (number: number, scheduledAt: number) => ({
    ...{ number, scheduledAt },
    token: new Uint8Array([number]),
  });
  await harness.submit('/status/200', { spec, key, attempt: attempt(1, 1_000) });
  await harness.target.waitFor(({ open: sockets }) => sockets === 1);
  // The reset's attempt 1 ran elsewhere, marked the request and was lost; its attempt 2 comes here.
  const progress = { sent: true, tries: 0, returns: 0 };
  await harness.submit('/status/200', { spec, key, attempt: attempt(2, 3_000), progress });
  open();
  await harness.ended(1);
  expect(harness.handler.kinds).toEqual({ '/status/200': 'OutcomeUnknownError' });
  expect(harness.target.total).toBe(0);
});
