import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { callbackResult, callbackTo, failureOf, rejection, start } from './support/outcomes.ts';

const MIB = 1024 * 1024;

let env: Environment;

beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(() => env?.[Symbol.asyncDispose]());

const ONCE = { maximumAttempts: 1 };

describe.concurrent('a response', () => {
  test('has the fields of the contract, and nothing else', async () => {
    const spec = { url: env.target.url('/echo?a=1'), json: { b: 2 }, callbackArgs: { order: 17 } };
    const handle = await start(env, 'patientPost', spec);
    expect(await handle.result()).toStrictEqual({
      status: 200,
      headers: {
        'content-type': 'application/json',
        date: expect.any(String),
        connection: 'keep-alive',
        'keep-alive': 'timeout=5',
        'transfer-encoding': 'chunked',
      },
      body: expect.stringContaining('"body":"{\\"b\\":2}"'),
      bodyEncoding: 'utf8',
      url: env.target.url('/echo?a=1'),
      method: 'POST',
      redirects: [],
      requestId: `${handle.workflowId}/${handle.firstExecutionRunId}`,
      durationMs: expect.any(Number),
      attempt: 1,
      callbackArgs: { order: 17 },
    });
  });

  test('of HEAD has no body', async () => {
    const handle = await start(env, 'patientHead', env.target.url('/bytes/10'));
    expect(await handle.result()).toMatchObject({
      status: 200,
      method: 'HEAD',
      body: null,
      headers: { 'content-length': '10' },
      callbackArgs: null,
    });
  });

  test('that is binary comes as base64; a repeated header as an array', async () => {
    const bytes = Buffer.from([0, 255, 254, 10, 128]);
    await using binary = await startTargetServer({
      handler(_, response) {
        response.setHeader('content-type', 'application/octet-stream');
        response.setHeader('set-cookie', ['a=1', 'b=2']);
        response.end(bytes);
        return true;
      },
    });
    const handle = await start(env, 'patientGet', binary.url('/'));
    expect(await handle.result()).toMatchObject({
      body: bytes.toString('base64'),
      bodyEncoding: 'base64',
      headers: { 'set-cookie': ['a=1', 'b=2'] },
    });
    const { bytes: inside } = await env.run<{ bytes: number[] }>('helpersInside', [
      binary.url('/'),
      env.taskQueue,
    ]);
    expect(inside).toEqual([...bytes]);
  });

  test('after redirects has the final URL and those before', async () => {
    const handle = await start(env, 'patientPost', {
      url: env.target.url('/redirect/2'),
      body: '',
    });
    expect(await handle.result()).toMatchObject({
      method: 'GET',
      url: env.target.url('/echo'),
      redirects: [env.target.url('/redirect/2'), env.target.url('/redirect/1')],
    });
  });

  test('has its helpers in the sandbox, inline and of a child', async () => {
    const url = env.target.url('/status/404?body=gr%C3%BC%C3%9F');
    const expected = {
      ok: false,
      text: 'grüß',
      bytes: [...Buffer.from('grüß')],
      json: 'Body of GET response 404 (text/plain) is not JSON',
    };
    for (const type of ['helpersInside', 'helpersOfChild']) {
      expect(await env.run(type, [url, env.taskQueue])).toEqual(expected);
    }
  });
});

interface ChildFailure {
  cause: { name: string; message: string; type: string; details: unknown[]; nonRetryable: boolean };
  error: unknown;
}

describe.concurrent('a failure', () => {
  test('of a child is the cause itself, with one detail of the exact shape', async () => {
    const body = 'é'.repeat(2100);
    const spec = {
      url: env.target.url(`/status/404?body=${encodeURIComponent(body)}&token=hidden`),
      raiseErrorResponses: true,
    };
    const args = ['patientGet', spec, env.taskQueue];
    const { cause, error } = await env.run<ChildFailure>('childFailure', args);
    const url = env.target.url('/status/404');
    const message = `HTTP 404 response from GET ${url}`;
    const detail = {
      errorType: 'http_error',
      message,
      url,
      method: 'GET',
      requestId: expect.stringMatching(/^[\w-]+\/[\w-]+$/),
      durationMs: expect.any(Number),
      phase: 'sent',
      attempt: 1,
      response: {
        status: 404,
        headers: expect.objectContaining({ 'content-type': 'text/plain' }),
        body: expect.stringMatching(/^é+$/),
        bodyTruncated: true,
        bodyEncoding: 'utf8',
        url,
        method: 'GET',
        redirects: [],
        requestId: expect.any(String),
        durationMs: expect.any(Number),
        attempt: 1,
        callbackArgs: null,
      },
    };
    expect(cause).toStrictEqual({
      name: 'ApplicationFailure',
      message,
      type: 'HttpStatusError',
      details: [detail],
      nonRetryable: true,
    });
    expect(error).toStrictEqual({ type: 'HttpStatusError', ...detail });
    const bytes = Buffer.byteLength(JSON.stringify(cause.details[0]));
    expect(bytes).toBeLessThan(4096);
    expect(bytes).toBeGreaterThan(1024);
  });

  test('carries no query of a redirect, no cookie and no link', async () => {
    await using target = await startTargetServer({
      handler({ url }, response) {
        if (url!.startsWith('/first')) {
          response.writeHead(302, { location: '/second?token=hidden' }).end();
        } else {
          response.setHeader('set-cookie', ['session=hidden']);
          response.setHeader('link', '</next?token=hidden>; rel="next"');
          response.writeHead(410, { location: '/third?token=hidden' }).end();
        }
        return true;
      },
    });
    const url = target.url('/first?token=hidden');
    const handle = await start(env, 'patientGet', { url, raiseErrorResponses: true });
    const error = await failureOf(handle.result());
    expect(error).toMatchObject({
      type: 'HttpStatusError',
      response: { url: target.url('/second'), redirects: [target.url('/first')] },
    });
    expect(JSON.stringify(error)).not.toContain('hidden');
  });

  test('reads the same from outside: the workflow fails with it', async () => {
    const handle = await start(env, 'patientGet', {
      url: env.target.url('/status/500'),
      raiseErrorResponses: true,
      retry: ONCE,
      requestId: 'label-1',
    });
    const error = await rejection(handle.result());
    expect(error).toBeInstanceOf(WorkflowFailedError);
    const { cause } = error as WorkflowFailedError;
    expect(cause).toBeInstanceOf(ApplicationFailure);
    expect(cause).toMatchObject({
      type: 'HttpStatusError',
      details: [{ requestId: 'label-1', response: { status: 500, body: '' } }],
    });
    expect((cause as ApplicationFailure).details![0]).not.toHaveProperty('response.bodyTruncated');
  });

  test('HttpStatusError only for what is not 2xx', async () => {
    const url = env.target.url('/status/299');
    const response = await env.patient.get(url, { raiseErrorResponses: true });
    expect(response.status).toBe(299);
  });

  test('TimeoutError', async () => {
    const url = env.target.url('/hold?query=hidden');
    const error = await failureOf(env.patient.get(url, { timeout: 800, retry: ONCE }));
    expect(error).toStrictEqual({
      type: 'TimeoutError',
      errorType: 'timeout',
      message: `GET ${env.target.url('/hold')}: not finished after 800 ms (timeout)`,
      url: env.target.url('/hold'),
      method: 'GET',
      requestId: expect.any(String),
      durationMs: expect.any(Number),
      phase: 'sent',
      attempt: 1,
    });
    expect(error.durationMs).toBeGreaterThanOrEqual(799);
  });

  test('ConnectionError', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const error = await failureOf(env.patient.get(`http://127.0.0.1:${port}/x`, { retry: ONCE }));
    expect(error).toMatchObject({ type: 'ConnectionError', errorType: 'connection' });
    expect(error).toMatchObject({ phase: 'connect', url: `http://127.0.0.1:${port}/x` });
  });

  test('ResponseTooLargeError, announced or found while reading; equal passes', async () => {
    for (const path of ['/bytes/1001', '/bytes/1001?chunked=1']) {
      const error = await failureOf(
        env.patient.get(env.target.url(path), { maxResponseSize: 1000 }),
      );
      expect(error).toMatchObject({
        type: 'ResponseTooLargeError',
        errorType: 'response_too_large',
        phase: 'sent',
        attempt: 1,
      });
    }
    const { body } = await env.patient.get(env.target.url('/bytes/1000'), {
      maxResponseSize: 1000,
    });
    expect(body).toHaveLength(1000);
  });
});

describe.concurrent('a response that Temporal cannot take', () => {
  test('is a clear failure, inline, of a child, and in the callback', async () => {
    const url = env.target.url(`/bytes/${2.2 * 1000 * 1000}`);
    const spec = { url, maxResponseSize: 3 * MIB, callbackArgs: { id: 1 } };
    const expected = {
      type: 'ResponseTooLargeError',
      message: expect.stringContaining('lower maxResponseSize'),
      url,
    };
    const inline = await env.run<{ error: unknown }>('inlineFailure', [
      spec,
      { taskQueue: env.taskQueue },
    ]);
    expect(inline.error).toMatchObject(expected);

    const withCallback = { ...spec, callback: callbackTo(env) };
    const handle = await start(env, 'patientGet', withCallback);
    expect(await failureOf(handle.result())).toMatchObject(expected);
    const { workflowId, firstExecutionRunId } = handle;
    expect(await callbackResult(env.client, workflowId, firstExecutionRunId)).toMatchObject({
      outcome: 'error',
      error: expected,
      callbackArgs: { id: 1 },
    });
  });

  test('begins right above what it takes: just below it arrives, in the callback too', async () => {
    const handle = await start(env, 'patientGet', {
      url: env.target.url(`/bytes/${2 * MIB - 20 * 1024}`),
      maxResponseSize: 3 * MIB,
      callback: callbackTo(env),
    });
    expect(await handle.result()).toMatchObject({ status: 200 });
    const { workflowId, firstExecutionRunId } = handle;
    const { response } = await callbackResult(env.client, workflowId, firstExecutionRunId);
    expect(response!.body).toHaveLength(2 * MIB - 20 * 1024);
  });

  test('control characters count as the JSON they become', async () => {
    await using target = await startTargetServer({
      handler(_, response) {
        response.setHeader('content-type', 'text/plain');
        response.end('\u0001'.repeat(MIB / 2));
        return true;
      },
    });
    expect(await failureOf(env.patient.get(target.url('/')))).toMatchObject({
      type: 'ResponseTooLargeError',
    });
  });
});

test('the activity reads "GET host/path" in history, without query', async () => {
  const workflowId = randomUUID();
  const url = env.target.url('/status/200?token=hidden');
  const handle = await start(env, 'patientGet', url, workflowId);
  await handle.result();
  const { events } = await handle.fetchHistory();
  const scheduled = events!.filter((event) => event.activityTaskScheduledEventAttributes);
  expect(scheduled).toHaveLength(1);
  const summary = Buffer.from(scheduled[0]!.userMetadata!.summary!.data!).toString();
  expect(JSON.parse(summary)).toBe(`GET 127.0.0.1:${env.target.port}/status/200`);
});
