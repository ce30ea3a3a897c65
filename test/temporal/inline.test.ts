import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RequestSpec, WireError, WireResponse } from '../../src/index.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { waitFor } from '../support/wait-for.ts';
import { callbackTo, failureOf, rejection } from './support/outcomes.ts';

let env: Environment;

beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(() => env?.[Symbol.asyncDispose]());

function unique(path: string): { url: string; hits: () => number; aborted: () => boolean } {
  const id = randomUUID();
  const hits = () => env.target.hits.filter((hit) => hit.path.endsWith(id));
  return {
    url: env.target.url(`${path}?id=${id}`),
    hits: () => hits().length,
    aborted: () => hits().some((hit) => hit.aborted),
  };
}

const sent = ({ body }: WireResponse) =>
  JSON.parse(body!) as { method: string; url: string; headers: object; body: string };

describe.concurrent('patient.extend', () => {
  test('joins URLs, merges headers, params and bodies, template over template', async () => {
    const templates = [
      {
        taskQueue: env.taskQueue,
        baseUrl: `${env.target.origin}/echo?key=1`,
        headers: { 'X-Outer': 'outer', 'X-Both': 'outer' },
        params: { a: 1, b: 1 },
      },
      { baseUrl: 'v2', headers: { 'x-both': 'inner' }, params: { b: 2 }, json: { shared: true } },
    ];
    const responses = await env.run<WireResponse[]>('throughTemplates', [
      templates,
      [
        ['put', '/items/7?x=y', { headers: { 'X-BOTH': 'call' }, params: { c: [3, 4] } }],
        ['post', '', { body: 'text' }],
        ['put', env.target.url('/echo/elsewhere')],
      ],
    ]);
    const [joined, replaced, absolute] = responses.map(sent);
    expect(joined).toMatchObject({
      method: 'PUT',
      url: '/echo/v2/items/7?key=1&x=y&a=1&b=2&c=3&c=4',
      headers: { 'x-outer': ['outer'], 'x-both': ['call'], 'content-type': ['application/json'] },
      body: '{"shared":true}',
    });
    expect(replaced).toMatchObject({ url: '/echo/v2?key=1&a=1&b=2', body: 'text' });
    expect(absolute).toMatchObject({ url: '/echo/elsewhere?a=1&b=2', body: '{"shared":true}' });
  });

  test('with a base that is no URL fails the request, not the workflow', async () => {
    const { error } = await env.run<{ error: WireError }>('inlineFailure', [
      { url: '/x' },
      { taskQueue: env.taskQueue, baseUrl: 'no url' },
    ]);
    expect(error).toMatchObject({
      type: 'InvalidRequestError',
      message: 'baseUrl: expected an absolute URL, got "no url"',
    });
  });
});

test('a template over a base that is no URL fails its workflow, and does not block it', async () => {
  const templates = [{ baseUrl: '//user:hidden@api.test' }, { baseUrl: 'v2' }];
  expect(await failureOf(env.run('throughTemplates', [templates, []]))).toMatchObject({
    type: 'InvalidRequestError',
    message: 'baseUrl: expected an absolute URL, got one that cannot be parsed',
  });
});

describe.concurrent('an inline call', () => {
  test('takes a URL alone', async () => {
    const { url } = unique('/status/204');
    expect(await env.run('inlineRequest', [url, env.taskQueue])).toMatchObject({
      status: 204,
      body: null,
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  test('is one activity and no child', async () => {
    const workflowId = randomUUID();
    await env.run('inlineRequest', [unique('/status/200').url, env.taskQueue], workflowId);
    const { events } = await env.client.workflow.getHandle(workflowId).fetchHistory();
    expect(events!.filter((event) => event.activityTaskScheduledEventAttributes)).toHaveLength(1);
    expect(
      events!.filter((event) => event.startChildWorkflowExecutionInitiatedEventAttributes),
    ).toEqual([]);
  });

  test('refuses a callback', async () => {
    const { url, hits } = unique('/status/200');
    const { error } = await env.run<{ error: WireError }>('inlineFailure', [
      { url, callback: callbackTo(env) },
      { taskQueue: env.taskQueue },
    ]);
    expect(error).toMatchObject({
      type: 'InvalidRequestError',
      message: expect.stringContaining('callback: an inline call'),
    });
    expect(hits()).toBe(0);
  });

  test('fails with what requestError reads, and a child with the same', async () => {
    const { url } = unique('/status/404');
    const spec = { url, raiseErrorResponses: true, requestId: 'label' };
    const expected = { type: 'HttpStatusError', requestId: 'label', response: { status: 404 } };
    const inline = await env.run('inlineFailure', [spec, { taskQueue: env.taskQueue }]);
    expect(inline).toMatchObject({ error: expected, name: 'ApplicationFailure' });
    const child = await env.run('childFailure', ['patientGet', spec, env.taskQueue]);
    expect(child).toMatchObject({ error: expected, cancelled: false });
  });

  test('cancelled with its workflow, a request made to undo it is sent all the same', async () => {
    const wait = unique('/hold');
    const undo = unique('/delay/300');
    const workflowId = randomUUID();
    const result = env.run('compensates', [wait.url, undo.url, env.taskQueue], workflowId);
    await env.target.waitFor(() => wait.hits() === 1);
    await env.client.workflow.getHandle(workflowId).cancel();
    expect(await result).toMatchObject({ status: 200, url: undo.url });
    expect(wait.aborted()).toBe(true);
    expect([undo.hits(), undo.aborted()]).toEqual([1, false]);
  });

  test('in a scope that cannot be cancelled goes on', async () => {
    await using target = await startTargetServer();
    const workflowId = randomUUID();
    const result = env.run('shielded', [target.url('/hold'), env.taskQueue], workflowId);
    await target.waitFor(({ inFlight }) => inFlight === 1);
    const handle = env.client.workflow.getHandle(workflowId);
    await handle.cancel();
    // The workflow has seen the cancel, and started nothing for it.
    const events = await waitFor(async () => {
      const { events: all } = await handle.fetchHistory();
      const asked = all!.findIndex((e) => e.workflowExecutionCancelRequestedEventAttributes);
      const seen = all!.slice(asked).some((e) => e.workflowTaskCompletedEventAttributes);
      return asked > 0 && seen ? all : undefined;
    });
    expect(events.filter((event) => event.activityTaskScheduledEventAttributes)).toHaveLength(1);
    target.release();
    expect(await result).toMatchObject({ status: 200 });
    expect(target.hits.map(({ aborted }) => aborted)).toEqual([false]);
  });

  test('says how far it came when it is cancelled', async () => {
    const { url, hits } = unique('/hold');
    const workflowId = randomUUID();
    const args = [{ url, method: 'POST' }, { taskQueue: env.taskQueue }];
    const result = env.run('inlineFailure', args, workflowId);
    await env.target.waitFor(() => hits() === 1);
    await env.client.workflow.getHandle(workflowId).cancel();
    expect(await result).toMatchObject({
      name: 'ActivityFailure',
      error: { type: 'CancelledError', errorType: 'cancelled', method: 'POST', phase: 'sent' },
    });
  });
});

describe.concurrent('patient.submit', () => {
  test('starts a request that outlives the workflow', async () => {
    const { url, hits } = unique('/delay/500');
    const requestId = randomUUID();
    expect(await env.run('submits', [[{ url, requestId }], env.taskQueue])).toEqual([requestId]);
    const handle = env.client.workflow.getHandle(requestId);
    expect((await handle.describe()).status.name).toBe('RUNNING');
    expect(await handle.result()).toMatchObject({ status: 200, requestId });
    expect(hits()).toBe(1);
  });

  test('gives an id of its own where none is given', async () => {
    const { url } = unique('/status/200');
    const [id] = await env.run<string[]>('submits', [[url], env.taskQueue]);
    expect(id).toMatch(/^patient-[0-9a-f-]{36}$/);
    const handle = env.client.workflow.getHandle(id!);
    expect((await handle.describe()).type).toBe('patientGet');
    expect(await handle.result()).toMatchObject({ status: 200, requestId: id });
  });

  test('the same requestId twice is one request, at once and after its end', async () => {
    const { url, hits } = unique('/status/200');
    const spec = { url, method: 'PUT', requestId: randomUUID() };
    const ids = [spec.requestId, spec.requestId];
    expect(await env.run('submits', [[spec, spec], env.taskQueue])).toEqual(ids);
    const handle = env.client.workflow.getHandle(spec.requestId);
    expect(await handle.result()).toMatchObject({ status: 200, method: 'PUT' });
    expect((await handle.describe()).type).toBe('patientPut');
    await env.run('submits', [[spec], env.taskQueue]);
    expect(hits()).toBe(1);
  });

  test('with options that name another method fails at once', async () => {
    const spec = { url: unique('/status/200').url, method: 'POST' };
    expect(await env.run('submitFailure', [spec, env.taskQueue])).toMatchObject({
      type: 'InvalidRequestError',
      message: 'method: patient.get sends GET, got "POST"',
    });
  });
});

describe.concurrent('PatientClient', () => {
  test('sends with each method and waits', async () => {
    const url = unique('/echo').url;
    const { patient } = env;
    for (const [call, method] of [
      [patient.get(url), 'GET'],
      [patient.head(url), 'HEAD'],
      [patient.post(url), 'POST'],
      [patient.put(url), 'PUT'],
      [patient.patch(url), 'PATCH'],
      [patient.delete(url), 'DELETE'],
      [patient.request({ url, method: 'patch' }), 'PATCH'],
      [patient.request(url), 'GET'],
      [patient.submit.request(url).then((handle) => handle.result()), 'GET'],
    ] as const) {
      const response = await call;
      expect(response).toMatchObject({ status: 200, method });
      if (method !== 'HEAD') expect(response!.json()).toMatchObject({ method });
    }
  });

  test('refuses options that name another method', async () => {
    const { url, hits } = unique('/status/200');
    const options = { method: 'POST' } as object;
    for (const call of [env.patient.get(url, options), env.patient.submit.get(url, options)]) {
      expect(await failureOf(call)).toMatchObject({
        type: 'InvalidRequestError',
        message: 'method: patient.get sends GET, got "POST"',
        url: url.split('?')[0],
      });
    }
    const wrong = { requestId: 17 } as unknown as RequestSpec;
    const refusal = await failureOf(env.patient.submit.get(url, wrong));
    expect(refusal.message).toContain('requestId: expected');
    expect(hits()).toBe(0);
  });

  test('submit gives a handle; so does its id anywhere else', async () => {
    const { url, hits } = unique('/hold');
    const requestId = randomUUID();
    const handle = await env.patient.submit.post(url, { requestId, json: 1 });
    expect(handle.requestId).toBe(requestId);
    expect((await handle.describe()).type).toBe('patientPost');
    await env.target.waitFor(() => hits() === 1);
    const other = env.patient.handle(requestId);
    await other.cancel();
    expect((await rejection(handle.result())).name).toBe('CancelledFailure');
    expect((await other.describe()).status.name).toBe('CANCELLED');
  });

  test('the result is null when the spec says none', async () => {
    const spec = { url: unique('/status/200').url, callback: callbackTo(env) };
    const handle = await env.patient.submit.request({ ...spec, result: 'none' });
    expect(await handle.result()).toBeNull();
  });

  test('the same requestId twice is one request, while it runs and after', async () => {
    const { url, hits } = unique('/delay/300');
    const options = { requestId: randomUUID() };
    const [first, second] = await Promise.all([
      env.patient.get(url, options),
      env.patient.get(url, options),
    ]);
    expect(second).toEqual(first);
    expect(first.requestId).toBe(options.requestId);
    const third = await env.patient.submit.get(url, options);
    expect(await third.result()).toEqual(first);
    expect(hits()).toBe(1);
  });
});
