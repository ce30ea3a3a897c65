import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBatchFiles } from '../../activities/batch-files.ts';
import type { WireError, WireResponse } from '../../src/shared/wire.ts';
import type { BatchProgressReport, BatchResult, BatchSpec } from '../../src/shared/wire-batch.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { callbackOf, failureOf } from './support/outcomes.ts';

let env: Environment;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'patient-batch-'));
  env = await startEnvironment({ batchDirectory: directory });
});
afterAll(async () => {
  await env?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

function start(batch: BatchSpec, workflowId: string = randomUUID()) {
  return env.client.workflow.start('patientBatch', {
    taskQueue: env.taskQueue,
    workflowId,
    args: [batch],
  });
}

async function run(batch: BatchSpec, workflowId?: string): Promise<BatchResult> {
  const handle = await start(batch, workflowId);
  return (await handle.result()) as BatchResult;
}

function read(file: string, offset: number) {
  return createBatchFiles(directory).readBatchFile(file, offset);
}

/** `200`, or the error's type, of each outcome. */
function kinds({ outcomes = [] }: BatchResult): (number | string)[] {
  return outcomes.map((outcome) =>
    'response' in outcome ? outcome.response.status : outcome.error.type,
  );
}

/** Each outcome with both of its possible parts. */
function parts({ outcomes = [] }: BatchResult): { response?: WireResponse; error?: WireError }[] {
  return outcomes;
}

test('outcomes come in the order of the requests, a wrong one fails by itself', async () => {
  const workflowId = randomUUID();
  const result = await run(
    {
      requests: [
        env.target.url('/delay/50'),
        { url: env.target.url('/status/404') },
        { url: 'ftp://nowhere' },
        { url: env.target.url('/echo'), method: 'POST', json: { n: 3 }, headers: { b: '2' } },
        { url: env.target.url('/status/404'), raiseErrorResponses: true },
        { url: env.target.url('/echo'), requestId: 'mine' },
        { url: env.target.url('/echo'), requestId: 'mine' },
      ],
      defaults: { headers: { a: '1' } },
      chunkSize: 2,
    },
    workflowId,
  );
  expect(kinds(result)).toEqual([
    ...[200, 404, 'InvalidRequestError', 200, 'HttpStatusError', 200, 'InvalidRequestError'],
  ]);
  expect(result).toMatchObject({ succeeded: 4, failed: 3 });
  const [, second, , fourth, , sixth, last] = parts(result);
  expect(second!.response?.requestId).toMatch(new RegExp(`^${workflowId}/.+/1$`));
  expect(JSON.parse(fourth!.response!.body!).headers).toMatchObject({ a: ['1'], b: ['2'] });
  expect(sixth!.response?.requestId).toBe('mine');
  expect(last!.error?.message).toBe('requestId: request 5 of the batch has mine too');
});

test('only what is to be tried again goes again', async () => {
  const key = randomUUID();
  const result = await run({
    requests: Array.from({ length: 12 }, (_, i) => ({
      url: env.target.url(i % 3 === 0 ? `/flaky/${key}-${i}/2/503` : `/status/200?${key}-${i}`),
    })),
    defaults: { retry: { initialInterval: 10 } },
    chunkSize: 6,
  });
  expect(kinds(result)).toEqual(Array(12).fill(200));
  const attempts = result.outcomes!.map((each) => 'response' in each && each.response.attempt);
  expect(attempts).toEqual(Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? 3 : 1)));
});

test('keep: status and none', async () => {
  const requests = [env.target.url('/echo'), 'no url'];
  const status = await run({ requests, keep: 'status' });
  expect(status.outcomes).toMatchObject([
    { response: { status: 200, headers: {}, body: null } },
    { error: { type: 'InvalidRequestError' } },
  ]);
  expect(await run({ requests, keep: 'none' })).toEqual({ succeeded: 1, failed: 1 });
});

test("the defaults' priority and fairness are those of the activities", async () => {
  const workflowId = randomUUID();
  const priority = { priorityKey: 2, fairnessKey: 'tenant-7', fairnessWeight: 2.5 };
  const requests = [1, 2, 3].map((i) => env.target.url(`/status/200?${i}`));
  await run({ requests, defaults: { priority }, chunkSize: 2 }, workflowId);
  const { events } = await env.client.workflow.getHandle(workflowId).fetchHistory();
  const scheduled = events!.flatMap((event) => {
    const attributes = event.activityTaskScheduledEventAttributes;
    return attributes?.activityType?.name === 'submitBatch' ? [attributes.priority] : [];
  });
  expect(scheduled).toMatchObject([priority, priority]);
});

test('an empty batch is an empty result', async () => {
  expect(await run({ requests: [] })).toEqual({ outcomes: [], succeeded: 0, failed: 0 });
  const sink = { file: 'empty.jsonl' };
  expect(await run({ requests: [], sink })).toEqual({ succeeded: 0, failed: 0, sink });
  expect(await readFile(join(directory, sink.file), 'utf8')).toBe('');
});

test.each<[name: string, batch: unknown, message: RegExp]>([
  ['neither', {}, /^requests: expected either requests or source$/],
  ['a field', { requests: [], size: 3 }, /^size: is not a field of a batch$/],
  [
    'chunkSize',
    { requests: [], chunkSize: 0 },
    /^chunkSize: expected an integer from 1 to 1000, got 0$/,
  ],
  ['concurrency', { requests: [], concurrency: 'x' }, /^concurrency: .* got "x"$/],
  ['keep', { requests: [], keep: 'some' }, /^keep: expected all, status, none, got "some"$/],
  ['sink', { requests: [], sink: 'x' }, /^sink: expected \{ file \} or \{ activity, taskQueue \}/],
  ['one file', { source: { file: 'x' }, sink: { file: 'x' } }, /^sink\.file: x is the source too$/],
  ['too many', { requests: Array(8000).fill('u') }, /^requests: the outcomes of 8000 do not fit/],
  ['source without sink', { source: { file: 'x' } }, /^sink: expected one for a source/],
  ['outside', { source: { file: '../x' }, keep: 'none' }, /source\.file: .*outside batchDirectory/],
])('a batch that is wrong as a whole: %s', async (_, batch, message) => {
  const error = await failureOf(run(batch as BatchSpec));
  expect(error.type).toBe('InvalidRequestError');
  expect(error.message).toMatch(message);
});

test('from a file to a file', async () => {
  const lines = Array.from({ length: 250 }, (_, i) =>
    i % 2
      ? env.target.url(`/status/200?${i}`)
      : JSON.stringify({ url: env.target.url(`/status/404?${i}`) }),
  );
  await writeFile(join(directory, 'in.jsonl'), ['# comment', ...lines, '{broken'].join('\n'));
  const result = await run({
    source: { file: 'in.jsonl' },
    sink: { file: 'out.jsonl' },
    chunkSize: 50,
  });
  expect(result).toEqual({ succeeded: 250, failed: 1, sink: { file: 'out.jsonl' } });
  const out = (await readFile(join(directory, 'out.jsonl'), 'utf8')).trim().split('\n');
  const items = out.map((line) => JSON.parse(line)).toSorted((a, b) => a.index - b.index);
  expect(items.map(({ index }) => index)).toEqual(Array.from({ length: 251 }, (_, i) => i));
  expect(items[0].response.status).toBe(404);
  expect(items[1].response).toMatchObject({ status: 200, url: env.target.url('/status/200?1') });
  expect(items[250].error.type).toBe('InvalidRequestError');
});

test('a line that takes a page for itself, and thousands of short ones after it', async () => {
  const long = JSON.stringify({
    url: env.target.url('/echo'),
    headers: { a: 'x'.repeat(600_000) },
  });
  const short = Array.from({ length: 50_000 }, () => 'http://a');
  await writeFile(join(directory, 'long.jsonl'), [long, ...short].join('\n'));
  const { next, requests } = await read('long.jsonl', 0);
  expect(requests).toHaveLength(1);
  const rest = await read('long.jsonl', next!);
  expect(rest).toEqual({ requests: short, next: null });
});

test('thousands of requests that are refused: the others run, and the sink has all', async () => {
  const sink = { file: 'refused.jsonl' };
  const requestId = 'twice'.repeat(50);
  const twice = Array.from({ length: 4_000 }, () => ({ url: 'http://a', requestId }));
  const good = Array.from({ length: 3 }, (_, i) => env.target.url(`/status/200?${i}`));
  const result = await run({ requests: [...twice, ...good], sink, concurrency: 1 });
  expect(result).toEqual({ succeeded: 3, failed: 4_000, sink });
  const lines = (await readFile(join(directory, sink.file), 'utf8')).trim().split('\n');
  expect(new Set(lines.map((line) => JSON.parse(line).index)).size).toBe(4_003);
});

test('progress, callbacks of items and of the batch', async () => {
  const workflowId = randomUUID();
  const callback = { workflow: 'rawCallback', taskQueue: env.userQueue };
  const handle = await start(
    {
      requests: [
        { url: env.target.url('/hold'), callback, callbackArgs: 'first' },
        { url: env.target.url('/status/200') },
      ],
      keep: 'status',
      callback,
      callbackArgs: 'all',
    },
    workflowId,
  );
  await env.target.waitFor(({ held }) => held === 1);
  const progress = await handle.query<BatchProgressReport>('progress');
  expect(progress).toEqual({ total: 2, succeeded: 0, failed: 0, running: 2, retrying: 0 });
  env.target.release();
  const result = (await handle.result()) as BatchResult;
  expect(result).toMatchObject({ succeeded: 2, outcomes: [{ response: { body: null } }, {}] });
  const runId = handle.firstExecutionRunId;
  const item = await callbackOf(env.client, workflowId, `${runId}:0`).result();
  expect(item).toMatchObject({
    outcome: 'response',
    response: { status: 200, body: '{"held":true}' },
    callbackArgs: 'first',
    requestId: `${workflowId}/${runId}/0`,
    request: { workflowId, runId },
  });
  expect(await callbackOf(env.client, workflowId, runId).result()).toEqual({
    outcome: 'response',
    batch: { succeeded: 2, failed: 0 },
    callbackArgs: 'all',
    requestId: `${workflowId}/${runId}`,
    request: { workflowId, runId },
  });
});

test("what is no request has the defaults' callback too, whatever is kept", async () => {
  const callback = { workflow: 'rawCallback', taskQueue: env.userQueue };
  const requests = [null, 5] as unknown as string[];
  const workflowId = randomUUID();
  const handle = await start({ requests, defaults: { callback }, keep: 'none' }, workflowId);
  expect(await handle.result()).toEqual({ succeeded: 0, failed: 2 });
  for (const index of requests.keys()) {
    const told = callbackOf(env.client, workflowId, `${handle.firstExecutionRunId}:${index}`);
    expect(await told.result()).toMatchObject({ error: { type: 'InvalidRequestError' } });
  }
});

test('a cancel stops what is in flight; what has ended is told', async () => {
  const workflowId = randomUUID();
  const callback = { workflow: 'rawCallback', taskQueue: env.userQueue };
  const handle = await start(
    {
      requests: [env.target.url('/status/200'), env.target.url('/hold'), env.target.url('/hold')],
      sink: { file: `${workflowId}.jsonl` },
      callback,
    },
    workflowId,
  );
  await env.target.waitFor(({ held }) => held === 2);
  await handle.cancel();
  await env.target.waitFor(({ held }) => held === 0);
  await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
  const lines = (await readFile(join(directory, `${workflowId}.jsonl`), 'utf8')).trim().split('\n');
  const items = lines.map((line) => JSON.parse(line));
  expect(items).toMatchObject([
    { index: 0, response: { status: 200 } },
    { index: 1, error: { type: 'CancelledError', phase: 'sent' } },
    { index: 2, error: { type: 'CancelledError', phase: 'sent' } },
  ]);
  expect(
    await callbackOf(env.client, workflowId, handle.firstExecutionRunId).result(),
  ).toMatchObject({
    outcome: 'error',
    error: { type: 'CancelledError' },
  });
});

test('a cancel: what waits, for its turn or its next try, is told too', async () => {
  const workflowId = randomUUID();
  const callback = { workflow: 'rawCallback', taskQueue: env.userQueue };
  const again = `/flaky/${randomUUID()}/9/503?retryAfter=300`;
  const handle = await start(
    {
      requests: [again, '/hold', '/status/200'].map((path) => env.target.url(path)),
      defaults: { callback },
      sink: { file: `${workflowId}.jsonl` },
      ...{ chunkSize: 1, concurrency: 1 },
    },
    workflowId,
  );
  await env.target.waitFor(({ held }) => held === 1);
  await handle.cancel();
  await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
  const phases = ['queued', 'sent', 'queued'];
  for (const [index, phase] of phases.entries()) {
    const told = callbackOf(env.client, workflowId, `${handle.firstExecutionRunId}:${index}`);
    expect(await told.result()).toMatchObject({ error: { type: 'CancelledError', phase } });
  }
  const text = await readFile(join(directory, `${workflowId}.jsonl`), 'utf8');
  const items = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).index);
  expect(new Set(items)).toEqual(new Set([0, 1, 2]));
});

test('however much waits for its next try, what is new goes before it', async () => {
  const again = Array.from({ length: 30 }, () => ({
    url: env.target.url(`/flaky/${randomUUID()}/9/503?retryAfter=300`),
    ...{ method: 'PUT' as const, body: 'x'.repeat(10_000) },
  }));
  const path = '/status/207';
  const handle = await start({
    requests: [...again, ...Array.from({ length: 10 }, () => env.target.url(path))],
    ...{ keep: 'none', chunkSize: 10, concurrency: 1 },
  });
  await env.target.waitFor(() => env.target.count(path) === 10, 60_000);
  await handle.cancel();
  await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
});

test('responses that do not fit beside each other give way, and keep their status', async () => {
  const result = await run({
    requests: Array.from({ length: 10 }, (_, i) =>
      env.target.url(`/bytes/${i === 4 ? 900_000 : i < 4 ? 400_000 : 10}`),
    ),
  });
  const seen = kinds(result);
  expect(seen).toHaveLength(10);
  expect(seen[4]).toBe('ResponseTooLargeError');
  expect(seen.slice(5)).toEqual(Array(5).fill(200));
  const [, , , , large] = parts(result);
  expect(large!.error?.response).toMatchObject({ status: 200, bodyTruncated: true });
});

test('and count as failed, in the result, in the progress and in the callback', async () => {
  const workflowId = randomUUID();
  const handle = await start(
    {
      requests: Array.from({ length: 40 }, (_, i) => env.target.url(`/bytes/100000?${i}`)),
      ...{ chunkSize: 5, callback: { workflow: 'rawCallback', taskQueue: env.userQueue } },
    },
    workflowId,
  );
  const result = (await handle.result()) as BatchResult;
  const received = kinds(result).filter((kind) => kind === 200).length;
  expect(received).toBeGreaterThan(15);
  expect(received).toBeLessThan(25);
  const counts = { succeeded: received, failed: 40 - received };
  expect(result).toMatchObject(counts);
  expect(await handle.query('progress')).toMatchObject(counts);
  const told = callbackOf(env.client, workflowId, handle.firstExecutionRunId);
  expect(await told.result()).toMatchObject({ batch: counts });
});

test('inline: a batch in the history of its caller', async () => {
  const outcomes = await env.run<string[]>('inlineBatch', [
    [env.target.url('/status/200?body=one'), { url: env.target.url('/echo') }, 'nowhere'],
    env.taskQueue,
    { chunkSize: 2 },
  ]);
  expect(outcomes[0]).toBe('one');
  expect(JSON.parse(outcomes[1]!).headers).toMatchObject({ from: ['template'] });
  expect(outcomes[2]).toBe('InvalidRequestError');
  for (const asking of [
    [[{ url: 'http://a', callback: 'x' }], env.taskQueue],
    [['http://a'], env.taskQueue, { callback: 'x' }],
    [['http://a'], env.taskQueue, { defaults: { callback: 'x' } }],
  ]) {
    const refused = await failureOf(env.run('inlineBatch', asking));
    expect(refused.message).toMatch(/^callback: a batch answers to its caller/);
  }
});

test('a client starts a batch once, waits for it and asks how far it is', async () => {
  const workflowId = randomUUID();
  const batch = { requests: [env.target.url(`/hold?${workflowId}`)] };
  const handle = await env.patient.submitBatch(batch, workflowId);
  await env.target.waitFor(({ held }) => held === 1);
  expect(await handle.progress()).toMatchObject({ total: 1, running: 1 });
  const again = env.patient.batch(batch, workflowId);
  env.target.release();
  expect(await again).toMatchObject({ succeeded: 1, failed: 0 });
  expect(await handle.result()).toEqual(await again);
  expect(env.target.hits.filter(({ path }) => path.endsWith(workflowId))).toHaveLength(1);
  await expect(env.patient.batch({ requests: [], chunkSize: -1 })).rejects.toMatchObject({
    type: 'InvalidRequestError',
    message: 'chunkSize: expected an integer from 1 to 1000, got -1',
  });
});

test('a call with the arguments of another one is told which is wrong', async () => {
  const batch = env.patient.batch.bind(env.patient) as (...args: unknown[]) => Promise<unknown>;
  const urls = [env.target.url('/echo')];
  const messages = await Promise.all(
    [batch(urls, { chunkSize: 10 }), batch({ requests: urls }, ''), batch(urls)].map(
      async (call) => (await failureOf(call)).message,
    ),
  );
  expect(messages).toEqual([
    'workflowId: expected a text, got {"chunkSize":10}',
    'workflowId: expected a text, got ""',
    expect.stringMatching(/^batch: expected an object with requests or a source, got \["http/),
  ]);
  const inline = env.run('inlineBatch', [{ requests: urls }, env.taskQueue]);
  expect((await failureOf(inline)).message).toMatch(/^requests: expected an array, got \{/);
});

test('a batch without end goes on in new runs, with its ids and its counts', async () => {
  const workflowId = randomUUID();
  const lines = Array.from({ length: 3_000 }, (_, i) => env.target.url(`/bytes/2000?${i}`));
  await writeFile(join(directory, `${workflowId}.in`), lines.join('\n'));
  const handle = await start(
    {
      source: { file: `${workflowId}.in` },
      sink: { file: `${workflowId}.out` },
      chunkSize: 500,
      concurrency: 2,
    },
    workflowId,
  );
  expect(await handle.result()).toMatchObject({ succeeded: 3_000, failed: 0 });
  const out = (await readFile(join(directory, `${workflowId}.out`), 'utf8')).trim().split('\n');
  const items = out.map((line) => JSON.parse(line) as { index: number; response: WireResponse });
  expect(new Set(items.map(({ index }) => index)).size).toBe(3_000);
  expect(items).toHaveLength(3_000);
  const first = handle.firstExecutionRunId;
  expect(
    items.every(({ index, response }) => {
      return response.requestId === `${workflowId}/${first}/${index}`;
    }),
  ).toBe(true);
  const { runId } = await env.client.workflow.getHandle(workflowId).describe();
  expect(runId).not.toBe(first);
});
