import { AssertionError } from 'node:assert';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Connection } from '@temporalio/client';
import type { WorkflowBundleOption } from '@temporalio/worker';
import { beforeAll, expect, inject, test } from 'vitest';
import {
  assertSentOnce,
  callbackOf,
  startTestEnvironment,
  type TestEnvironment,
  type TestEnvironmentOptions,
} from '../../src/testing/index.ts';
import { bundleWorkflows } from '../../src/workflow-bundle.ts';
import { quietRuntime } from '../support/environment.ts';
import { fetchPrice, submitOn } from './workflows/index.ts';

const workflowsPath = fileURLToPath(new URL('./workflows/index.ts', import.meta.url));

let workflowBundle: WorkflowBundleOption;

beforeAll(async () => {
  quietRuntime();
  workflowBundle = await bundleWorkflows();
});

/** On the Temporal that all tests share. */
function startShared(options: TestEnvironmentOptions = {}): Promise<TestEnvironment> {
  return startTestEnvironment({
    ...{ address: inject('temporalAddress'), workflowBundle, taskQueue: `env-${randomUUID()}` },
    ...options,
  });
}

test('the examples of the documentation, on a Temporal of its own', async () => {
  const server = { cli: inject('temporalCli'), namespace: 'mine' };
  let address: string;
  {
    await using env = await startTestEnvironment({
      server,
      workflowBundle,
      user: { workflowsPath },
    });
    ({ address } = env);
    expect(env.taskQueue).toBe('patient-http');
    const price = await env.run(fetchPrice, [env.target.url('/echo')]);
    expect(price).toMatchObject({ method: 'GET' });
    assertSentOnce(env.target, 1);

    env.target.hits.length = 0;
    await env.patient.post(env.target.url('/echo'), { requestId: 'order-17', json: {} });
    assertSentOnce(env.target, ['order-17']);

    const callback = { workflow: 'statusOf', taskQueue: env.userQueue };
    const url = env.target.url('/status/200');
    const { requestId } = await env.patient.submit.get(url, { callback });
    const { argument, workflow } = await callbackOf(env.client, requestId);
    expect(argument.response?.status).toBe(200);
    expect(await workflow.result()).toBe(200);
  }
  await expect(Connection.connect({ address, connectTimeout: 500 })).rejects.toThrow();
});

test('the callback of a submitted request: response, error, none', async () => {
  await using env = await startShared({ user: { workflowsPath } });
  const url = env.target.url('/status/201');
  const id = await env.run(submitOn, [env.taskQueue, url, 'statusOf']);
  const { argument, workflow } = await callbackOf(env.client, id);
  expect(argument).toMatchObject({
    requestId: id,
    outcome: 'response',
    response: { status: 201 },
    callbackArgs: { from: 'test' },
    request: { workflowId: id },
  });
  expect(await workflow.result()).toBe(201);

  const wrong = await env.run<string>('submitOn', [env.taskQueue, 'ftp://host', 'statusOf']);
  const failed = await callbackOf(env.client, wrong);
  expect(failed.argument).toMatchObject({
    outcome: 'error',
    error: { errorType: 'invalid_request' },
  });
  expect(await failed.workflow.result()).toBe('InvalidRequestError');

  const { requestId } = await env.patient.submit.get(url);
  const none = callbackOf(env.client, requestId);
  await expect(none).rejects.toThrow(`request ${requestId} ended without a callback`);
  await expect(none).rejects.toBeInstanceOf(AssertionError);
});

test('assertSentOnce names what came twice, never or unasked', async () => {
  await using env = await startShared();
  const { target, patient } = env;
  const retry = { initialInterval: 1, maximumInterval: 1 };
  await patient.get(target.url('/flaky/env/1/503'), { requestId: 'twice', retry });
  await patient.get(target.url('/redirect/1'), { requestId: 'redirected' });
  await fetch(target.url('/echo')).then((response) => response.text());

  const failure = caught(() => assertSentOnce(target, ['redirected', 'never sent']));
  expect(failure).toBeInstanceOf(AssertionError);
  expect(failure.message.split('\n')).toEqual([
    'GET /flaky/env/1/503 of request twice arrived 2 times',
    'request never%20sent did not arrive',
    'request twice was not expected',
  ]);
  target.hits.splice(0, 2);
  assertSentOnce(target, 1);
  assertSentOnce(target, ['redirected']);
  expect(caught(() => assertSentOnce(target, 2)).message).toBe('1 requests arrived, expected 2');
});

test('options reach the worker; without a worker of one’s own run() says so', async () => {
  await using env = await startShared({ maxConnections: 7, raiseErrorResponses: true });
  expect(env.worker.options).toMatchObject({ maxConnections: 7, allowPrivateAddresses: true });
  await expect(env.patient.get(env.target.url('/status/500'))).rejects.toMatchObject({
    type: 'HttpStatusError',
  });
  expect(() => env.run('fetchPrice', [])).toThrow('run() needs the option user');
});

test('the user’s worker runs the user’s activities', async () => {
  const double = async (n: number) => n * 2;
  const path = fileURLToPath(new URL('./workflows/activity.ts', import.meta.url));
  await using env = await startShared({
    user: { taskQueue: `mine-${randomUUID()}`, workflowsPath: path, activities: { double } },
  });
  expect(env.userQueue).toMatch(/^mine-/);
  expect(await env.run<number>('doubled', [21])).toBe(42);
});

test('what was started is stopped when the rest cannot be', async () => {
  const broken = { user: { workflowsPath: '/does/not/exist.ts' } };
  await expect(startShared(broken)).rejects.toThrow();
  await expect(startShared({ maxConnections: 0 })).rejects.toThrow('maxConnections');
});

test('disposes once, also after its worker has stopped', async () => {
  const env = await startShared();
  await env.worker.shutdown();
  await env[Symbol.asyncDispose]();
  await env[Symbol.asyncDispose]();
});

function caught(action: () => void): Error {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
