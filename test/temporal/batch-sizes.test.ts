/** Responses that were paid for are not thrown away for their size. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { BatchResult, BatchSpec, SinkItem } from '../../src/shared/wire-batch.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { requestError } from '../../src/index.ts';
import type { BatchOptions } from '../../workflows/index.ts';
import { callbackOf } from './support/outcomes.ts';

const workflowsPath = fileURLToPath(new URL('workflows/', import.meta.url));

let env: Environment;
let directory: string;
let saved: SinkItem[] = [];

const activities = {
  async save(items: SinkItem[]): Promise<void> {
    saved.push(...items);
  },
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'patient-sizes-'));
  env = await startEnvironment({ batchDirectory: directory, user: { activities, workflowsPath } });
});
afterAll(async () => {
  await env?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});
beforeEach(() => {
  saved = [];
});

/** `count` responses of so many bytes, each asked for by a URL of its own. */
function large(count: number, bytes: number): { id: string; requests: string[] } {
  const id = randomUUID();
  const url = (i: number) => env.target.url(`/bytes/${bytes}?${id}-${i}`);
  return { id, requests: Array.from({ length: count }, (_, i) => url(i)) };
}

function hitsOf(id: string): string[] {
  return env.target.hits.map(({ path }) => path).filter((path) => path.includes(id));
}

/** Bytes of the body, or the error's type, by index. */
function kinds(items: SinkItem[]): (number | string)[] {
  return items
    .toSorted((a, b) => a.index - b.index)
    .map((item) => ('response' in item ? item.response.body!.length : item.error.type));
}

async function linesOf(file: string): Promise<SinkItem[]> {
  const text = await readFile(join(directory, file), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as SinkItem);
}

test('a chunk of 4 MB goes to a file, in full', async () => {
  const { id, requests } = large(40, 100_000);
  const sink = { file: `${id}.jsonl` };
  expect(await env.patient.batch({ requests, sink })).toEqual({ succeeded: 40, failed: 0, sink });
  expect(kinds(await linesOf(sink.file))).toEqual(Array(40).fill(100_000));
  expect(hitsOf(id)).toHaveLength(40);
});

test('and to an activity, whatever is kept', async () => {
  const { id, requests } = large(40, 100_000);
  const sink = { activity: 'save', taskQueue: env.userQueue };
  const result = await env.patient.batch({ requests, sink, keep: 'status' });
  expect(result).toEqual({ succeeded: 40, failed: 0, sink });
  expect(kinds(saved)).toEqual(Array(40).fill(100_000));
  expect(new Set(hitsOf(id)).size).toBe(hitsOf(id).length);
});

test('more than a history may hold goes on in new runs, in the midst of a chunk', async () => {
  const { id, requests } = large(60, 500_000);
  const sink = { file: `${id}.jsonl` };
  const workflowId = randomUUID();
  const batch = await env.client.workflow.start('patientBatch', {
    ...{ taskQueue: env.taskQueue, workflowId, args: [{ requests, sink, chunkSize: 30 }] },
  });
  expect(await batch.result()).toEqual({ succeeded: 60, failed: 0, sink });
  expect(kinds(await linesOf(sink.file))).toEqual(Array(60).fill(500_000));
  expect(hitsOf(id)).toHaveLength(60);
  const first = env.client.workflow.getHandle(workflowId, batch.firstExecutionRunId);
  expect((await first.describe()).status.name).toBe('CONTINUED_AS_NEW');
});

test('a callback of an item gets its response', async () => {
  const { requests } = large(25, 100_000);
  const callback = { workflow: 'rawCallback', taskQueue: env.userQueue };
  const workflowId = randomUUID();
  const spec: BatchSpec = { requests, defaults: { callback }, keep: 'none' };
  const batch = await env.client.workflow.start('patientBatch', {
    ...{ taskQueue: env.taskQueue, workflowId, args: [spec] },
  });
  expect(await batch.result()).toEqual({ succeeded: 25, failed: 0 });
  const told = await Promise.all(
    requests.map((_, i) =>
      callbackOf(env.client, workflowId, `${batch.firstExecutionRunId}:${i}`).result(),
    ),
  );
  expect(told.map((each) => (each as { response: { body: string } }).response.body.length)).toEqual(
    Array(25).fill(100_000),
  );
});

test('one that does not fit alone fails by itself, and says what helps', async () => {
  const { id, requests } = large(30, 100_000);
  const url = env.target.url(`/bytes/3000000?${id}`);
  const sink = { file: `${id}.jsonl` };
  const result = await env.patient.batch({
    requests: [...requests, url],
    defaults: { maxResponseSize: 4_000_000 },
    sink,
  });
  expect(result).toEqual({ succeeded: 30, failed: 1, sink });
  const lines = await linesOf(sink.file);
  expect(kinds(lines)).toEqual([...Array(30).fill(100_000), 'ResponseTooLargeError']);
  const [last] = lines.filter(({ index }) => index === 30);
  expect(last).toMatchObject({
    error: {
      message: expect.stringMatching(/ 2 MB: set a payloadStore, .* maxResponseSize$/),
      response: { status: 200, bodyTruncated: true },
    },
  });
});

test('a cancel loses nothing that was there', async () => {
  const { id, requests } = large(40, 100_000);
  const sink = { file: `${id}.jsonl` };
  const hold = env.target.url(`/hold?${id}`);
  const batch = await env.patient.submitBatch({ requests: [...requests, hold], sink });
  await env.target.waitFor(({ held }) => held === 1);
  await env.target.waitFor(() => hitsOf(id).length === 41);
  await expect.poll(() => env.target.inFlight).toBe(1);
  await batch.cancel();
  await expect(batch.result()).rejects.toThrow();
  expect(kinds(await linesOf(sink.file))).toEqual([...Array(40).fill(100_000), 'CancelledError']);
});

test('nor what was put aside for the next run', async () => {
  const { id, requests } = large(30, 500_000);
  const sink = { file: `${id}.jsonl` };
  const hold = env.target.url(`/hold?${id}`);
  const batch = await env.patient.submitBatch({
    ...{ requests: [...requests, hold], sink, chunkSize: 30 },
  });
  const aside = async () => {
    const { succeeded, running } = await batch.progress();
    return succeeded > 0 && succeeded < 30 && running === 1;
  };
  await expect.poll(aside).toBe(true);
  await batch.cancel();
  await expect(batch.result()).rejects.toThrow();
  expect(await batch.progress()).toMatchObject({ succeeded: 30, failed: 1 });
  expect(kinds(await linesOf(sink.file))).toEqual([...Array(30).fill(500_000), 'CancelledError']);
});

test('without a sink: what one chunk needs more, others need less', async () => {
  const { requests } = large(15, 100_000);
  const small = large(45, 10).requests;
  const { outcomes = [] }: BatchResult = await env.patient.batch({
    requests: [...requests, ...small],
    chunkSize: 15,
  });
  expect(kinds(outcomes.map((outcome, index) => ({ index, ...outcome })) as SinkItem[])).toEqual([
    ...Array(15).fill(100_000),
    ...Array(45).fill(10),
  ]);
});

test('and retries end before they are more than a history may hold', async () => {
  const body = 'x'.repeat(2_000_000);
  const spec: BatchSpec = {
    requests: [
      env.target.url('/status/200'),
      { url: env.target.url('/status/503'), method: 'PUT', body },
    ],
    defaults: {
      retry: { maximumAttempts: 100, initialInterval: 10, backoffCoefficient: 1 },
    },
  };
  const { outcomes = [], ...counts } = await env.patient.batch(spec);
  expect(counts).toEqual({ succeeded: 1, failed: 1 });
  expect(outcomes[1]).toMatchObject({
    error: {
      message: expect.stringMatching(/503.*; not tried again, .* use patientBatch with a sink$/),
      response: { status: 503 },
    },
  });
});

test('large requests go on in new runs too, whatever waits to be sent or tried again', async () => {
  const id = randomUUID();
  const lines = Array.from({ length: 1_500 }, (_, i) => {
    const url = env.target.url(i < 600 ? `/flaky/${id}-${i}/1/503` : `/status/200?${id}-${i}`);
    return JSON.stringify({ url, method: 'PUT', body: randomBytes(2_500).toString('hex') });
  });
  await writeFile(join(directory, `${id}.in`), lines.join('\n'));
  const sink = { file: `${id}.jsonl` };
  const result = await env.patient.batch({
    source: { file: `${id}.in` },
    defaults: { retry: { initialInterval: 10 } },
    ...{ sink, chunkSize: 1_000, concurrency: 2 },
  });
  expect(result).toEqual({ succeeded: 1_500, failed: 0, sink });
  expect(new Set((await linesOf(sink.file)).map(({ index }) => index)).size).toBe(1_500);
  expect(hitsOf(id)).toHaveLength(2_100);
});

test('what many chunks ended with at once is not too much for one task of the workflow', async () => {
  const { id, requests } = large(200, 95_000);
  const callback = { workflow: 'rawCallback', taskQueue: env.userQueue };
  const result = await env.patient.batch({
    ...{ requests, defaults: { callback }, keep: 'none', chunkSize: 20 },
  });
  expect(result).toEqual({ succeeded: 200, failed: 0 });
  expect(hitsOf(id)).toHaveLength(200);
});

test('nor are the defaults that many chunks begin with', async () => {
  const id = randomUUID();
  const result = await env.patient.batch({
    requests: Array.from({ length: 20 }, (_, i) => env.target.url(`/status/200?${id}-${i}`)),
    defaults: { method: 'PUT', body: 'x'.repeat(500_000) },
    ...{ keep: 'none', chunkSize: 2 },
  });
  expect(result).toEqual({ succeeded: 20, failed: 0 });
  expect(hitsOf(id)).toHaveLength(20);
});

test('nor too much for its history, however many chunks there may be at once', async () => {
  const id = randomUUID();
  const spec: BatchSpec = {
    requests: Array.from({ length: 60 }, (_, i) => {
      return { url: env.target.url(`/status/200?${id}-${i}`), body: 'x' };
    }),
    defaults: { method: 'PUT', body: 'x'.repeat(500_000) },
    ...{ chunkSize: 1, concurrency: 100 },
  };
  const workflowId = randomUUID();
  const batch = await env.client.workflow.start('patientBatch', {
    ...{ taskQueue: env.taskQueue, workflowId, args: [{ ...spec, keep: 'none' }] },
  });
  expect(await batch.result()).toEqual({ succeeded: 60, failed: 0 });
  const first = await env.client.workflow
    .getHandle(workflowId, batch.firstExecutionRunId)
    .describe();
  expect(first.historySize).toBeLessThan(10_000_000);
  expect(hitsOf(id)).toHaveLength(60);
  // What has to end in one history is refused.
  const refused = await env.patient.batch(spec).catch((error: unknown) => error);
  expect(requestError(refused)).toMatchObject({
    type: 'InvalidRequestError',
    message: expect.stringMatching(/^defaults: with each of 60 chunks they take 30\d+ bytes, /),
  });
  expect(hitsOf(id)).toHaveLength(60);
});

test('inline, what the history of the caller has no room for is not sent, and the caller goes on', async () => {
  const { id, requests } = large(60, 500_000);
  const sink = { activity: 'save', taskQueue: env.userQueue };
  const options: BatchOptions = { sink, chunkSize: 30, concurrency: 1 };
  await env.run('inlineBatch', [requests, env.taskQueue, options]);
  const ended = kinds(saved);
  expect(ended).toHaveLength(60);
  expect(ended.slice(30)).toEqual(Array(30).fill('ResponseTooLargeError'));
  expect(ended.filter((kind) => kind === 500_000).length).toBeGreaterThan(15);
  expect(hitsOf(id)).toHaveLength(30);
  const messages = saved.flatMap((item) => ('error' in item ? [item.error.message] : []));
  const heads = messages.map((message) => message.replace(/[0-9]+/, 'N').split(':')[0]);
  expect(new Set(heads)).toEqual(new Set(['Outcome of N bytes as JSON', 'Not sent']));
  expect(messages.every((message) => message.includes('start patientBatch instead'))).toBe(true);
});

test('nor is what leaves nothing but its arguments in that history', async () => {
  const { id, requests } = large(75, 1);
  const specs = requests.map((url) => ({ url, body: 'x' }));
  const workflowId = randomUUID();
  const options: BatchOptions = {
    defaults: { method: 'PUT', body: 'x'.repeat(500_000) },
    ...{ keep: 'none', chunkSize: 1 },
  };
  await env.run('inlineBatch', [specs, env.taskQueue, options], workflowId);
  const { historySize } = await env.client.workflow.getHandle(workflowId).describe();
  expect(historySize).toBeLessThan(40_000_000);
  expect(hitsOf(id).length).toBeGreaterThan(60);
  expect(hitsOf(id).length).toBeLessThan(75);
});
