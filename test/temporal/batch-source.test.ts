import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Json } from '../../src/shared/wire.ts';
import type { BatchResult, BatchSpec, SinkItem, SourcePage } from '../../src/shared/wire-batch.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { callbackOf, failureOf } from './support/outcomes.ts';

/** Requests of a page. */
const PAGE = 20;

let env: Environment;
/** Given to the source, page by page. */
let cursors: unknown[] = [];
/** Taken by the sink. */
let saved: SinkItem[] = [];

const url = (i: number): string => env.target.url(`/status/200?${i}`);

const activities = {
  async pages(cursor: number | null, count: number): Promise<SourcePage> {
    cursors.push(cursor);
    const at = cursor ?? 0;
    const requests = Array.from({ length: Math.min(PAGE, count - at) }, (_, i) => url(at + i));
    return { requests, cursor: at + PAGE < count ? at + PAGE : null };
  },
  /** The first `held` of `count` requests, of so many bytes each, are not answered at once. */
  async slow(
    cursor: number | null,
    count: number,
    held: number,
    bytes: number,
  ): Promise<SourcePage> {
    const page = await activities.pages(cursor, count);
    const at = cursor ?? 0;
    const requests = page.requests.map((_, i) => ({
      url: at + i < held ? env.target.url('/hold') : url(at + i),
      ...{ method: 'PUT' as const, body: 'x'.repeat(bytes) },
    }));
    return { ...page, requests };
  },
  /** Goes round and round: null, 1, 2, 3, 1, … */
  async ring(cursor: number | null): Promise<SourcePage> {
    cursors.push(cursor);
    return { requests: [url(cursor ?? 0)], cursor: ((cursor ?? 0) % 3) + 1 };
  },
  /** As `ring`, through so many pages that a run does not see all of them. */
  async wheel(cursor: number | null): Promise<SourcePage> {
    cursors.push(cursor);
    const at = cursor ?? 0;
    const request = { url: url(at), method: 'PUT' as const, body: 'x'.repeat(90_000) };
    return { requests: Array.from({ length: 10 }, () => request), cursor: (at % 8) + 1 };
  },
  /** Breaks down on its second page, for good or only once. */
  async broken(cursor: number | null, forGood: boolean): Promise<SourcePage> {
    cursors.push(cursor);
    if (cursor === null) return { requests: [url(0), url(1)], cursor: 2 };
    if (forGood) throw ApplicationFailure.nonRetryable('the table is gone', 'NoTable');
    if (cursors.length < 3) throw new Error('away for a moment');
    return { requests: [url(2)] };
  },
  async nothing(): Promise<unknown> {
    return { rows: [] };
  },
  async empty(): Promise<SourcePage> {
    return { requests: [] };
  },
  async large(): Promise<SourcePage> {
    return { requests: [{ url: url(0), method: 'POST', body: 'x'.repeat(1_100_000) }] };
  },
  async full(): Promise<void> {
    throw ApplicationFailure.nonRetryable('the table is full', 'NoRoom');
  },
  /** Fails for the first list that it gets. */
  async save(items: SinkItem[]): Promise<void> {
    const isFirst = saved.length === 0;
    saved.push(...items);
    if (isFirst) throw new Error('saved, but not told');
  },
};

/** The sink has what was sent, and of all else that was known that it was not. */
function expectAllTold(sent: number): void {
  const outcomes = new Map(saved.map((item) => [item.index, item]));
  const isAnswered = (item: SinkItem): boolean => 'response' in item;
  expect([...outcomes.values()].filter(isAnswered)).toHaveLength(sent);
  expect(Math.max(-1, ...outcomes.keys())).toBe(outcomes.size - 1);
  for (const item of outcomes.values()) {
    if (!isAnswered(item)) expect(item).toMatchObject({ error: { type: 'CancelledError' } });
  }
}

/** What a callback was started with; no worker here runs it. */
async function toldAndEnded(callback: WorkflowHandle): Promise<unknown> {
  const { events } = await callback.fetchHistory();
  const { input } = events![0]!.workflowExecutionStartedEventAttributes!;
  await callback.terminate('the test is over');
  return defaultPayloadConverter.fromPayload(input!.payloads![0]!);
}

beforeAll(async () => {
  env = await startEnvironment({ user: { activities } });
});
afterAll(() => env?.[Symbol.asyncDispose]());
beforeEach(() => {
  cursors = [];
  saved = [];
});

function run(
  activity: keyof typeof activities,
  args: Json[] = [],
  into: Partial<BatchSpec> = { sink: { activity: 'save', taskQueue: env.userQueue } },
): Promise<BatchResult> {
  const source = { activity, taskQueue: env.userQueue, args };
  return env.patient.batch({ source, ...into, chunkSize: 10 });
}

test('page by page from an activity to an activity, each outcome at least once by its index', async () => {
  expect(await run('pages', [250])).toMatchObject({ succeeded: 250, failed: 0 });
  expect(cursors).toEqual([null, ...Array.from({ length: 12 }, (_, i) => (i + 1) * PAGE)]);
  expect(new Set(saved.map(({ index }) => index)).size).toBe(250);
  expect(saved.length).toBeGreaterThan(250);
  const [first] = saved.filter(({ index }) => index === 123);
  expect(first).toMatchObject({ response: { status: 200, url: url(123) } });
});

test('pages that are smaller than what may be in flight keep all of it in flight', async () => {
  const result = run('slow', [100, 100, 1], { keep: 'none' });
  await env.target.waitFor(({ held }) => held === 100);
  env.target.release();
  expect(await result).toEqual({ succeeded: 100, failed: 0 });
});

test('no more is read while what has not ended might not fit into a next run', async () => {
  const result = run('slow', [200, 60, 20_000], { keep: 'none' });
  await env.target.waitFor(({ held }) => held === 60);
  expect(cursors).toEqual([null, PAGE, 2 * PAGE]);
  env.target.release();
  expect(await result).toEqual({ succeeded: 200, failed: 0 });
  expect(cursors).toHaveLength(10);
});

test('a source that comes back to a page ends the batch; what was sent is in the sink', async () => {
  const before = env.target.total;
  const error = await failureOf(run('ring'));
  expect(error.type).toBe('InvalidRequestError');
  expect(error.message).toBe('source: gave the cursor 1 twice');
  expect(cursors).toEqual([null, 1, 2, 3]);
  expectAllTold(env.target.total - before);
});

test('also one that takes several runs to come back', async () => {
  const error = await failureOf(run('wheel', [], { keep: 'none' }));
  expect(error).toMatchObject({
    type: 'InvalidRequestError',
    message: expect.stringMatching(/^source: gave the cursor [1-8] twice$/) as string,
  });
  // The first time round, twice as many pages between two marks, and once round from the last.
  expect(cursors.length).toBeGreaterThan(8);
  expect(cursors.length).toBeLessThan(1 + 3 * 8);
});

test('a source that fails is asked again; one that fails for good ends the batch with its reason', async () => {
  expect(await run('broken', [false])).toMatchObject({ succeeded: 3, failed: 0 });
  cursors = [];
  saved = [];
  const before = env.target.total;
  const failure = await run('broken', [true]).catch((error: unknown) => error);
  const reasons: string[] = [];
  for (let each = failure as Error; each; each = each.cause as Error) reasons.push(each.message);
  expect(reasons).toContain('the table is gone');
  expect(cursors).toEqual([null, 2]);
  expectAllTold(env.target.total - before);
});

test('a sink that fails for good ends the batch; callbacks are told of every request', async () => {
  const workflowId = randomUUID();
  const callback = { workflow: 'rawCallback', taskQueue: env.userQueue };
  const handle = await env.patient.submitBatch(
    {
      requests: [0, 1, 2, 3, 4].map(url),
      defaults: { callback },
      sink: { activity: 'full', taskQueue: env.userQueue },
      ...{ chunkSize: 2, concurrency: 1 },
    },
    workflowId,
  );
  await expect(handle.result()).rejects.toThrow();
  const { raw } = await env.client.workflow.getHandle(workflowId).describe();
  const runId = raw.workflowExecutionInfo!.execution!.runId!;
  const told = await Promise.all(
    [0, 1, 2, 3, 4].map((i) => toldAndEnded(callbackOf(env.client, workflowId, `${runId}:${i}`))),
  );
  expect(told.slice(0, 2)).toMatchObject([{ outcome: 'response' }, { outcome: 'response' }]);
  for (const each of told.slice(2)) {
    expect(each).toMatchObject({
      error: {
        ...{ type: 'CancelledError', phase: 'queued' },
        message: 'Given up with its batch, which has failed',
      },
    });
  }
});

test('a Retry-After of minutes holds back no other request, nor the end of a batch that fails', async () => {
  // A Retry-After is for all requests of a key.
  const later = {
    url: env.target.url(`/flaky/${randomUUID()}/9/503?retryAfter=300`),
    flow: { key: randomUUID() },
  };
  const soon = `/flaky/${randomUUID()}/2/503`;
  const batch = await env.patient.submitBatch({
    requests: [later, env.target.url(soon), env.target.url('/hold')],
    defaults: { deadline: '10m', retry: { initialInterval: 10 } },
    sink: { activity: 'full', taskQueue: env.userQueue },
    ...{ chunkSize: 2, concurrency: 2 },
  });
  await env.target.waitFor(() => env.target.count(soon) === 3);
  env.target.release();
  await expect(batch.result()).rejects.toThrow();
});

test('a source that gives no page is said to', async () => {
  const error = await failureOf(run('nothing', [], { keep: 'none' }));
  expect(error).toMatchObject({
    type: 'InvalidRequestError',
    message: 'source: expected a page { requests, cursor }, got none',
  });
});

test('a source without requests is an empty batch', async () => {
  expect(await run('empty')).toMatchObject({ succeeded: 0, failed: 0 });
  expect(saved).toEqual([]);
});

test('a page that is too large, and files without a folder for them, are said to be', async () => {
  const none = { keep: 'none' } as const;
  const pages = await failureOf(run('large', [], none));
  expect(pages.message).toMatch(/^source: expected pages of at most 1048576 bytes of JSON, got \d/);
  const { patient } = env;
  const file = { file: 'requests.jsonl' };
  const source = await failureOf(patient.batch({ source: file, ...none }));
  expect(source.message).toMatch(/^source\.file: this worker has no batchDirectory/);
  const before = env.target.total;
  const sink = await failureOf(patient.batch({ requests: [url(0)], sink: file }));
  expect(env.target.total).toBe(before);
  expect(sink.message).toMatch(/^sink\.file: this worker has no batchDirectory/);
});

test('a call that hangs has ten minutes, and as many attempts as it needs', async () => {
  const source = { activity: 'empty', taskQueue: env.userQueue };
  const batch = await env.client.workflow.start('patientBatch', {
    ...{ taskQueue: env.taskQueue, workflowId: randomUUID(), args: [{ source, keep: 'none' }] },
  });
  await batch.result();
  const { events } = await batch.fetchHistory();
  const [scheduled] = events!.flatMap((each) => each.activityTaskScheduledEventAttributes ?? []);
  expect(Number(scheduled!.startToCloseTimeout!.seconds)).toBe(600);
  expect(scheduled!.retryPolicy!.maximumAttempts ?? 0).toBe(0);
});
