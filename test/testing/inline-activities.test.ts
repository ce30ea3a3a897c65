/*
 * The stand-in is made for time-skipping test servers, whose binary these tests cannot count on:
 * they run it under the development server, in a plain worker, and in a mock activity environment.
 * What they show is what time skipping needs: a request ends within its activity, and the delay
 * before the next try is Temporal's. That time is in fact skipped is not tested here.
 */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Info } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { Client, WorkflowFailedError } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import {
  createInlineActivities,
  startTargetServer,
  type InlineActivities,
  type TargetServer,
  type TestError,
  type TestResponse,
} from '../../src/testing/index.ts';
import { requestError, type RequestSpec, type WireResponse } from '../../workflows/index.ts';
import { quietLogger, quietRuntime } from '../support/environment.ts';

const context = { requestId: 'mock' };

const mockActivity = (info: Partial<Info> = {}) =>
  new MockActivityEnvironment(info, { logger: quietLogger });

test('the example of its documentation, and no asynchronous completion', async () => {
  const activities = createInlineActivities({ respond: ({ url }) => ({ json: { url } }) });
  const url = 'https://api.test/';
  const mock = mockActivity();
  const response = await mock.run(activities.submitRequest, url, context);
  expect(response).toMatchObject({ status: 200, requestId: 'mock', body: JSON.stringify({ url }) });
});

test('a failed try is a failure that says when the next one is due', async () => {
  await using activities = createInlineActivities({
    respond: () => ({ status: 429, headers: { 'retry-after': '3600' }, body: 'later' }),
  });
  const spec = { url: 'http://api.test', retry: { maxRetryAfter: '1h' } };
  const first = mockActivity({ attempt: 1 });
  const heartbeats: unknown[] = [];
  first.on('heartbeat', (details) => heartbeats.push(details));
  const failed = first.run(activities.submitRequest, spec, context);
  await expect(failed).rejects.toMatchObject({
    type: 'HttpStatusError',
    nonRetryable: false,
    nextRetryDelay: 3_600_000,
  });
  expect(heartbeats).toEqual([{ sent: false, tries: 1, returns: 0 }]);

  const heartbeatDetails = { sent: false, tries: 2, returns: 0 };
  const last = mockActivity({ attempt: 3, heartbeatDetails });
  const response = await last.run(activities.submitRequest, spec, context);
  expect(response).toMatchObject({ status: 429, attempt: 3, body: 'later' });
});

test('a deadline counts by the clock of the server', async () => {
  await using activities = createInlineActivities({
    respond: () => new Promise<never>(() => {}),
  });
  const scheduledTimestampMs = Date.now() + 365 * 24 * 3_600_000;
  const currentAttemptScheduledTimestampMs = scheduledTimestampMs + 900;
  const mock = mockActivity({
    scheduledTimestampMs,
    currentAttemptScheduledTimestampMs,
  });
  const spec = { url: 'http://api.test', deadline: 1_000 };
  await expect(mock.run(activities.submitRequest, spec, context)).rejects.toMatchObject({
    type: 'TimeoutError',
    nonRetryable: true,
  });
});

test('disposing ends what is in flight', async () => {
  const activities = createInlineActivities({ respond: () => new Promise<never>(() => {}) });
  const running = mockActivity().run(activities.submitRequest, 'http://api.test', context);
  setTimeout(() => activities[Symbol.asyncDispose](), 20);
  await expect(running).rejects.toMatchObject({ type: 'Returned', nonRetryable: false });
});

/** Answers of the stand-in by path; other paths are really sent. */
const answers: Record<string, (TestResponse | TestError)[]> = {
  '/price': [{ json: { price: 12 } }],
  '/flaky': [
    { status: 503, headers: { 'retry-after': '0.01' } },
    { error: 'ConnectionError' },
    { body: 'at last' },
  ],
  '/gone': [{ error: 'TlsError', message: 'no certificate' }],
};

let workers: Awaited<ReturnType<typeof startWorkers>>;
let target: TargetServer;

beforeAll(async () => {
  quietRuntime();
  target = await startTargetServer();
  workers = await startWorkers();
});
afterAll(async () => {
  await workers?.stop();
  await target?.close();
});

/** Plain workers on the queues of Patient HTTP, as a user runs them; one queue for workflows. */
async function startWorkers() {
  const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
  const taskQueue = `plain-${randomUUID()}`;
  const answered = createInlineActivities({
    respond: ({ url }) => answers[new URL(url).pathname]!.shift()!,
  });
  const sent = createInlineActivities();
  const run = (queue: string, activities: InlineActivities, workflows = {}) =>
    Worker.create({ connection, taskQueue: queue, activities: { ...activities }, ...workflows });
  const workflowsPath = fileURLToPath(new URL('./workflows/plain.ts', import.meta.url));
  const all = await Promise.all([
    run(taskQueue, answered, { workflowsPath }),
    run(`${taskQueue}:requests`, answered),
    run(`${taskQueue}:sent`, sent),
    run(`${taskQueue}:sent:requests`, sent),
  ]);
  const running = all.map((worker) => worker.run());
  const client = new Client({ connection });
  return {
    client,
    taskQueue,
    start: (type: string, spec: RequestSpec, queue = taskQueue) =>
      client.workflow.start(type, {
        ...{ taskQueue, workflowId: randomUUID(), args: [queue, spec] },
      }),
    async stop() {
      for (const worker of all) worker.shutdown();
      await Promise.all(running);
      await connection.close();
      await sent[Symbol.asyncDispose]();
    },
  };
}

test('a workflow gets the answer, inline and from a child', async () => {
  answers['/price']!.push({ json: { price: 13 } });
  const inline = await workers.start('inlineOn', { url: 'http://api.test/price' });
  expect(await inline.result()).toMatchObject({ body: '{"price":12}' });
  const child = await workers.start('childOn', { url: 'http://api.test/price' });
  expect(await child.result()).toMatchObject({ body: '{"price":13}' });
});

test('Temporal runs the next tries, the processor counts them', async () => {
  const retry = { initialInterval: 10, maximumInterval: 10 };
  const handle = await workers.start('inlineOn', { url: 'http://api.test/flaky', retry });
  const response: WireResponse = await handle.result();
  expect(response).toMatchObject({ body: 'at last', attempt: 3 });
});

test('a workflow gets the failure of the request', async () => {
  const handle = await workers.start('inlineOn', { url: 'http://api.test/gone' });
  const failure: unknown = await handle.result().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(WorkflowFailedError);
  const { cause } = failure as WorkflowFailedError;
  expect(cause).toBeInstanceOf(ApplicationFailure);
  expect(requestError(cause)).toMatchObject({ type: 'TlsError', message: 'no certificate' });
});

test('a cancel closes the socket and ends the workflow as cancelled', async () => {
  const queue = `${workers.taskQueue}:sent`;
  const handle = await workers.start('inlineOn', { url: target.url('/hold') }, queue);
  await target.waitFor(({ inFlight }) => inFlight === 1);
  const started = performance.now();
  await handle.cancel();
  await target.waitFor(({ inFlight }) => inFlight === 0);
  const failure: unknown = await handle.result().catch((error: unknown) => error);
  expect((failure as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
  expect(performance.now() - started).toBeLessThan(60_000);
  expect(target.hits[0]?.aborted).toBe(true);
});

test('heartbeats while a request takes longer than its heartbeat timeout', async () => {
  const spec = { url: target.url('/delay/4000'), heartbeatTimeout: '3s' };
  const handle = await workers.start('inlineOn', spec, `${workers.taskQueue}:sent`);
  expect(await handle.result()).toMatchObject({ status: 200, attempt: 1 });
  expect(target.count('/delay/4000')).toBe(1);
});
