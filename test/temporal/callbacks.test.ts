import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CallbackArgument, RequestSpec } from '../../src/index.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { waitFor } from '../support/wait-for.ts';
import {
  callbackOf,
  callbackResult,
  callbackTo,
  exists,
  failureOf,
  rejection,
  start,
} from './support/outcomes.ts';
import { reset } from './support/reset.ts';

let env: Environment;
/** Its worker knows the queue of callbacks given by name alone. */
let withDefault: Environment;

beforeAll(async () => {
  env = await startEnvironment();
  withDefault = await startEnvironment({ callbackTaskQueue: env.userQueue });
});
afterAll(async () => {
  await env?.[Symbol.asyncDispose]();
  await withDefault?.[Symbol.asyncDispose]();
});

type Started = Awaited<ReturnType<typeof start>>;

const argumentOf = ({ workflowId, firstExecutionRunId }: Started): Promise<CallbackArgument> =>
  callbackResult(env.client, workflowId, firstExecutionRunId);

function unique(path: string): { url: string; hits: () => number } {
  const id = randomUUID();
  const hits = () => env.target.hits.filter((hit) => hit.path.endsWith(id)).length;
  return { url: env.target.url(`${path}?id=${id}`), hits };
}

async function arrived(hits: () => number): Promise<void> {
  await env.target.waitFor(() => hits() === 1);
}

describe.concurrent('the argument', () => {
  test('of a response', async () => {
    const spec = { url: env.target.url('/status/404'), callback: callbackTo(env) };
    const handle = await start(env, 'patientGet', { ...spec, callbackArgs: ['x', { y: null }] });
    const response = await handle.result();
    expect(response).toMatchObject({ status: 404, callbackArgs: ['x', { y: null }] });
    expect(await argumentOf(handle)).toStrictEqual({
      requestId: `${handle.workflowId}/${handle.firstExecutionRunId}`,
      outcome: 'response',
      response,
      callbackArgs: ['x', { y: null }],
      request: { workflowId: handle.workflowId, runId: handle.firstExecutionRunId },
    });
  });

  test('of an error', async () => {
    const url = env.target.url('/status/404?token=hidden');
    const spec = { url, callback: callbackTo(env), raiseErrorResponses: true };
    const handle = await start(env, 'patientGet', { ...spec, callbackArgs: 0, requestId: 'id-1' });
    const error = await failureOf(handle.result());
    expect(error).toMatchObject({ type: 'HttpStatusError', response: { status: 404 } });
    expect(await argumentOf(handle)).toStrictEqual({
      requestId: 'id-1',
      outcome: 'error',
      error,
      callbackArgs: 0,
      request: { workflowId: handle.workflowId, runId: handle.firstExecutionRunId },
    });
  });

  test('reaches the one handler of defineCallback that it is for', async () => {
    const url = env.target.url('/status/201');
    const callback = callbackTo(env, 'recordCallback');
    for (const raiseErrorResponses of [false, true]) {
      const handle = await start(env, 'patientGet', {
        url: raiseErrorResponses ? env.target.url('/status/400') : url,
        ...{ callback, raiseErrorResponses, callbackArgs: { n: 1 } },
      });
      const context = {
        requestId: `${handle.workflowId}/${handle.firstExecutionRunId}`,
        callbackArgs: { n: 1 },
        request: { workflowId: handle.workflowId, runId: handle.firstExecutionRunId },
      };
      expect(await argumentOf(handle)).toStrictEqual(
        raiseErrorResponses
          ? {
              handler: 'onError',
              error: expect.objectContaining({ errorType: 'http_error' }),
              ...context,
            }
          : { handler: 'onComplete', ok: true, ...context },
      );
      await rejection(handle.result()).catch(() => undefined);
    }
  });
});

describe.concurrent('the queue', () => {
  const url = () => env.target.url('/status/200');

  test("is the caller's for a bare name through submit", async () => {
    for (const callback of ['rawCallback', { workflow: 'rawCallback' }] as const) {
      const requestId = randomUUID();
      await env.run('submits', [[{ url: url(), callback, requestId }], env.taskQueue]);
      const { runId } = await env.client.workflow.getHandle(requestId).describe();
      const argument = await callbackResult(env.client, requestId, runId);
      expect(argument).toMatchObject({ outcome: 'response', requestId });
      const { taskQueue } = await callbackOf(env.client, requestId, runId).describe();
      expect(taskQueue).toBe(env.userQueue);
    }
  });

  test("is the worker's callbackTaskQueue for a bare name from elsewhere", async () => {
    const handle = await start(withDefault, 'patientGet', { url: url(), callback: 'rawCallback' });
    expect(await argumentOf(handle)).toMatchObject({ outcome: 'response' });
  });

  test('is missing otherwise: refused by name, nothing sent', async () => {
    const { url: unsent, hits } = unique('/status/200');
    const handle = await start(env, 'patientGet', { url: unsent, callback: 'rawCallback' });
    const error = await failureOf(handle.result());
    expect(error.type).toBe('InvalidRequestError');
    expect(error.message).toContain('callback.taskQueue');
    expect(hits()).toBe(0);
  });
});

describe.concurrent('a signal', () => {
  test('to a running workflow', async () => {
    const workflowId = randomUUID();
    const received = env.run('waitForSignal', [], workflowId);
    const handle = await start(env, 'patientGet', {
      url: env.target.url('/status/200'),
      callback: { signal: 'delivered', workflowId },
      callbackArgs: 'kept',
    });
    const response = await handle.result();
    expect(await received).toStrictEqual({
      requestId: `${handle.workflowId}/${handle.firstExecutionRunId}`,
      outcome: 'response',
      response,
      callbackArgs: 'kept',
      request: { workflowId: handle.workflowId, runId: handle.firstExecutionRunId },
    });
  });

  test('to a missing one leaves the request its result', async () => {
    const { url, hits } = unique('/status/200');
    const callback = { signal: 'delivered', workflowId: randomUUID() };
    const handle = await start(env, 'patientGet', { url, callback });
    expect(await handle.result()).toMatchObject({ status: 200 });
    expect(hits()).toBe(1);
  });
});

describe.concurrent('the result of a request with a callback', () => {
  const spec = (result: RequestSpec['result']) => ({
    url: env.target.url('/status/200?body=text'),
    callback: callbackTo(env),
    ...(result && { result }),
  });

  test('full', async () => {
    for (const result of [undefined, 'full'] as const) {
      const handle = await start(env, 'patientGet', spec(result));
      expect(await handle.result()).toStrictEqual((await argumentOf(handle)).response);
    }
  });

  test('status', async () => {
    const handle = await start(env, 'patientGet', spec('status'));
    const { response } = await argumentOf(handle);
    expect(response!.body).toBe('text');
    expect(await handle.result()).toStrictEqual({ ...response, headers: {}, body: null });
  });

  test('none', async () => {
    const handle = await start(env, 'patientGet', spec('none'));
    expect((await argumentOf(handle)).response!.body).toBe('text');
    expect(await handle.result()).toBeNull();
  });

  test('is the response when there is no callback', async () => {
    const { callback: _, ...rest } = spec('none');
    const handle = await start(env, 'patientGet', rest);
    expect(await handle.result()).toMatchObject({ status: 200, body: 'text' });
  });
});

describe.concurrent('exactly one', () => {
  test('a failing callback is retried by its own policy; the request is not sent again', async () => {
    const { url, hits } = unique('/status/200');
    const retry = { initialInterval: 10, maximumInterval: 10 };
    const callback = { ...callbackTo(env, 'flakyCallback'), retry };
    const handle = await start(env, 'patientGet', { url, callback });
    await handle.result();
    // What it returns is the number of its run.
    expect(await argumentOf(handle)).toBe(3);
    expect(hits()).toBe(1);
  });

  test('one that fails for good leaves the request its result', async () => {
    const { url, hits } = unique('/status/200');
    const callback = { ...callbackTo(env, 'flakyCallback'), retry: { maximumAttempts: 1 } };
    const handle = await start(env, 'patientGet', { url, callback });
    expect(await handle.result()).toMatchObject({ status: 200 });
    const error = await rejection(argumentOf(handle));
    expect(error).toMatchObject({ cause: { message: 'attempt 1 fails on purpose' } });
    expect(hits()).toBe(1);
  });

  test.each([
    ['before the request', 0, 2],
    ['between response and callback', 1, 1],
  ])('after a reset to a point %s', async (_, task, requests) => {
    const { url, hits } = unique('/status/200');
    const handle = await start(env, 'patientGet', { url, callback: callbackTo(env) });
    await handle.result();
    const first = await argumentOf(handle);
    const callback = callbackOf(env.client, handle.workflowId, handle.firstExecutionRunId);
    const { runId: startedOnce } = await callback.describe();

    const runId = await reset(env.client, handle, task);
    expect(runId).not.toBe(handle.firstExecutionRunId);
    const again = env.client.workflow.getHandle(handle.workflowId, runId);
    expect(await again.result()).toMatchObject({ status: 200, requestId: first.requestId });
    expect(hits()).toBe(requests);

    expect((await callback.describe()).runId).toBe(startedOnce);
    expect(await exists(callbackOf(env.client, handle.workflowId, runId))).toBe(false);
  });

  test('for each use of a workflow id', async () => {
    const workflowId = randomUUID();
    const runs: string[] = [];
    for (let run = 0; run < 2; run++) {
      const spec = { url: env.target.url('/status/200'), callback: callbackTo(env) };
      const handle = await start(env, 'patientGet', { ...spec, callbackArgs: run }, workflowId);
      await handle.result();
      const { callbackArgs, request } = await argumentOf(handle);
      expect(callbackArgs).toBe(run);
      runs.push(request.runId);
    }
    expect(new Set(runs).size).toBe(2);
  });
});

describe.concurrent('however the request ends', () => {
  test('cancel: the callback gets CancelledError, the workflow is Canceled', async () => {
    const { url, hits } = unique('/hold');
    const spec = { url, callback: callbackTo(env), callbackArgs: { kept: 1 } };
    const handle = await start(env, 'patientGet', spec);
    await arrived(hits);
    await handle.cancel();
    expect(await argumentOf(handle)).toMatchObject({
      outcome: 'error',
      error: { type: 'CancelledError', errorType: 'cancelled', phase: 'sent', attempt: 1 },
      callbackArgs: { kept: 1 },
    });
    await rejection(handle.result());
    expect((await handle.describe()).status.name).toBe('CANCELLED');
    expect(hits()).toBe(1);
  });

  test('cancel between two tries', async () => {
    const url = env.target.url(`/flaky/${randomUUID()}/9/503`);
    const retry = { initialInterval: '1h', maximumInterval: '1h' };
    const handle = await start(env, 'patientGet', { url, retry, callback: callbackTo(env) });
    await waitFor(async () => {
      const { raw } = await handle.describe();
      return raw.pendingActivities?.some(({ attempt }) => attempt === 2);
    });
    await handle.cancel();
    expect(await argumentOf(handle)).toMatchObject({ error: { type: 'CancelledError' } });
    await rejection(handle.result());
    expect((await handle.describe()).status.name).toBe('CANCELLED');
  });

  test.each([
    ['a queue of its own', () => callbackTo(env)],
    ['a bare name', () => 'rawCallback'],
  ])('cancel before it began, to %s', async (_, callback) => {
    const { url, hits } = unique('/hold');
    const handle = await env.client.workflow.start('patientGet', {
      taskQueue: withDefault.taskQueue,
      workflowId: randomUUID(),
      args: [{ url, callback: callback(), callbackArgs: 1 }],
      startDelay: '1s',
    });
    await handle.cancel();
    expect(await argumentOf(handle)).toMatchObject({
      error: { type: 'CancelledError', message: 'Cancelled before it was sent', phase: 'queued' },
      callbackArgs: 1,
    });
    await rejection(handle.result());
    expect((await handle.describe()).status.name).toBe('CANCELLED');
    expect(hits()).toBe(0);
    const { events } = await handle.fetchHistory();
    expect(events!.filter((event) => event.activityTaskScheduledEventAttributes)).toEqual([]);
  });

  test('the parent closes with REQUEST_CANCEL', async () => {
    const { url, hits } = unique('/hold');
    const childId = randomUUID();
    const spec = { url, callback: callbackTo(env), callbackArgs: 'kept' };
    await env.run('closesEarly', [spec, env.taskQueue, childId]);
    const child = env.client.workflow.getHandle(childId);
    const { runId } = await child.describe();
    expect(await callbackResult(env.client, childId, runId)).toMatchObject({
      error: { type: 'CancelledError' },
      callbackArgs: 'kept',
    });
    await rejection(child.result());
    expect((await child.describe()).status.name).toBe('CANCELLED');
    expect(hits()).toBeLessThanOrEqual(1);
  });

  test('terminate: none', async () => {
    const { url, hits } = unique('/hold');
    const spec = { url, callback: callbackTo(env), heartbeatTimeout: 1000 };
    const handle = await start(env, 'patientGet', spec);
    await arrived(hits);
    await handle.terminate();
    await rejection(handle.result());
    // The worker has seen it too.
    await env.target.waitFor(({ hits: all }) =>
      all.some(({ path, aborted }) => aborted && url.endsWith(path)),
    );
    const callback = callbackOf(env.client, handle.workflowId, handle.firstExecutionRunId);
    expect(await exists(callback)).toBe(false);
  });

  test('deadline', async () => {
    const { url } = unique('/hold');
    const spec = { url, deadline: 2_000, callback: callbackTo(env), callbackArgs: [] };
    const handle = await start(env, 'patientPost', spec);
    expect(await failureOf(handle.result())).toMatchObject({ type: 'TimeoutError' });
    expect(await argumentOf(handle)).toMatchObject({
      error: { type: 'TimeoutError', method: 'POST', phase: 'sent' },
      callbackArgs: [],
    });
  });
});
