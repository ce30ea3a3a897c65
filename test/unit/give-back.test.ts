import type { Info } from '@temporalio/activity';
import type { ApplicationFailure, RawValue } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import { giveBack } from '../../activities/give-back.ts';
import { createRequestActivities } from '../../activities/submit.ts';
import { resolveOptions } from '../../src/config/options.ts';
import type { BatchInput } from '../../src/processor/batch-task.ts';
import type { TaskInput } from '../../src/processor/task.ts';
import type { BatchChunk } from '../../src/shared/activities.ts';
import { KeptOutcomeError } from '../../src/shared/errors.ts';
import { markUnreadable } from '../../src/shared/unreadable.ts';
import { quietLogger } from '../support/environment.ts';
import { rejection } from '../temporal/support/outcomes.ts';

const context = { url: 'http://a/', method: 'GET', requestId: 'r', durationMs: 0, attempt: 1 };
const unreadable = new KeptOutcomeError('encryptionKeys: no key "b"');

async function ended(unread: number | undefined, deadlineAt?: number) {
  const environment = new MockActivityEnvironment({}, { logger: quietLogger });
  const beats: unknown[] = [];
  environment.on('heartbeat', (details: unknown) => beats.push(details));
  const progress = { returns: 3, ...(unread !== undefined && { unread }) };
  const run = environment.run(async () => giveBack(progress, context, deadlineAt)(unreadable));
  const failure = (await rejection(run)) as ApplicationFailure;
  return { failure, beats };
}

test.each([
  [undefined, 1_000, 1],
  [3, 8_000, 4],
  [63, 60_000, 64],
])('after %s times it is tried again in %i ms', async (unread, delay, next) => {
  const { failure, beats } = await ended(unread);
  expect(failure).toMatchObject({ type: 'Returned', nextRetryDelay: delay, nonRetryable: false });
  expect(failure.message).toContain('no key "b"');
  expect(beats).toEqual([{ returns: 4, unread: next }]);
});

test.each([
  [64, undefined],
  [0, 1],
])('after %s times, with the deadline %s, it is a failure', async (unread, deadlineAt) => {
  const { failure, beats } = await ended(unread, deadlineAt);
  expect(failure).toMatchObject({ type: 'UnknownError', nonRetryable: true });
  expect(failure.message).toContain('no key "b"');
  expect(failure.details![0]).toMatchObject({ requestId: 'r', phase: 'sent' });
  expect(beats).toEqual([]);
});

test.each([
  [63, false],
  [64, true],
])('of a chunk that went back %s times the rest goes on: %s', async (unread, goesOn) => {
  const info = { heartbeatDetails: { unread } };
  const environment = new MockActivityEnvironment(info, { logger: quietLogger });
  const given: boolean[] = [];
  const processor = {
    submit: () => Promise.reject(unreadable),
    submitBatch: async ({ skipsUnreadable }: BatchInput) => void given.push(skipsUnreadable),
  };
  const { submitBatch } = createRequestActivities(processor, resolveOptions());
  const chunk: BatchChunk = { items: [], keep: 'all', maxBytes: 1 };
  await rejection(environment.run(submitBatch, chunk, { requestId: 'r' }));
  expect(given).toEqual([goesOn]);
});

const message = 'encryptionKeys: a payload is encrypted with key "a"';
/** As the workflow and the server give them, with the backstop of the one. */
function timesOf(deadlineAt: number): Partial<Info> {
  const scheduledTimestampMs = Date.now() - 60_000;
  const left = deadlineAt - scheduledTimestampMs + 30_000;
  return {
    scheduledTimestampMs,
    scheduleToCloseTimeoutMs: deadlineAt === Infinity ? 0 : left,
  };
}

const stored = { metadata: { encoding: 'eA==' }, data: 'eA==' };

/** What an attempt ends with that cannot read its spec, or what is stored of the attempts before. */
async function unreadSpec(details: unknown, spec: unknown, deadlineAt = Infinity) {
  const environment = new MockActivityEnvironment(
    { heartbeatDetails: details, ...timesOf(deadlineAt) },
    { logger: quietLogger },
  );
  const beats: unknown[] = [];
  environment.on('heartbeat', (beat: unknown) => beats.push(beat));
  const { submitRequest } = createRequestActivities({} as never, resolveOptions());
  const run = environment.run(submitRequest, spec, { requestId: 'r' });
  return { failure: (await rejection(run)) as ApplicationFailure, beats };
}

test('a spec that cannot be read goes back too, and what is known of it stays', async () => {
  const spec = markUnreadable({ message, unread: 0 });
  const first = await unreadSpec(undefined, spec);
  expect(first.failure).toMatchObject({ type: 'Returned', nextRetryDelay: 1_000 });
  expect(first.failure.message).toBe(`The request cannot be read; ${message}`);
  expect(first.beats).toEqual([{ returns: 1, unread: 1 }]);
  const next = await unreadSpec({ sent: true, tries: 1, returns: 1, unread: 1 }, spec);
  expect(next.failure).toMatchObject({ nextRetryDelay: 2_000 });
  expect(next.beats).toEqual([{ sent: true, tries: 1, returns: 2, unread: 2 }]);
});

test('details that cannot be read are sent again as they are, and counted beside', async () => {
  const details = markUnreadable({ message, unread: 2, payload: stored });
  const { failure, beats } = await unreadSpec(details, 'http://a/');
  expect(failure).toMatchObject({ type: 'Returned', nextRetryDelay: 4_000 });
  const { data } = (beats[0] as RawValue).payload;
  expect(JSON.parse(Buffer.from(data!).toString())).toEqual({
    ...{ metadata: { encoding: 'eA==', 'patient-unread': 'Mw==' }, data: 'eA==' },
  });
});

test.each([
  ['nothing else', { returns: 64, unread: 64 }, 'queued', 'UnknownError'],
  ['that it was sent', { sent: true, unread: 64 }, 'sent', 'OutcomeUnknownError'],
  ['what cannot be read', markUnreadable({ message, unread: 64 }), 'sent', 'OutcomeUnknownError'],
])('after an hour, with %s stored, it is a failure', async (_name, details, phase, type) => {
  const spec = markUnreadable({ message, unread: 0 });
  const { failure, beats } = await unreadSpec(details, spec);
  expect(failure).toMatchObject({ type, nonRetryable: true });
  expect(failure.message).toContain('key "a"');
  expect(failure.details![0]).toMatchObject({ requestId: 'r', phase });
  expect(beats).toEqual([]);
});

test('with a deadline it comes again before it, and then ends as what it may be', async () => {
  const spec = markUnreadable({ message, unread: 0 });
  const sent = { sent: true, tries: 1, returns: 1, unread: 5 };
  const before = await unreadSpec(sent, spec, Date.now() + 10_000);
  expect(before.failure.type).toBe('Returned');
  expect(before.failure.nextRetryDelay).toBeLessThanOrEqual(10_000);
  expect(before.failure.nextRetryDelay).toBeGreaterThan(5_000);
  const over = await unreadSpec(sent, spec, Date.now() - 1);
  expect(over.failure).toMatchObject({ type: 'OutcomeUnknownError', nonRetryable: true });
  expect(over.failure.details![0]).toMatchObject({ requestId: 'r', phase: 'sent' });
  const unsent = await unreadSpec({ ...sent, sent: false }, spec, Date.now() - 1);
  expect(unsent.failure).toMatchObject({ type: 'UnknownError', nonRetryable: true });
});

test('an attempt that can read ends the count of those that could not', async () => {
  const heartbeatDetails = { sent: false, tries: 1, returns: 5, unread: 5 };
  const environment = new MockActivityEnvironment({ heartbeatDetails }, { logger: quietLogger });
  const given: object[] = [];
  const processor = {
    submit: async ({ progress }: TaskInput) => void given.push(progress),
    submitBatch: () => Promise.reject(unreadable),
  };
  const { submitRequest } = createRequestActivities(processor, resolveOptions());
  await rejection(environment.run(submitRequest, 'http://a/', { requestId: 'r' }));
  expect(given).toEqual([{ sent: false, tries: 1, returns: 5 }]);
});
