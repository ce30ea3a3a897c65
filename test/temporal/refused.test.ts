import { randomUUID } from 'node:crypto';
import { RawValue } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CallbackArgument, RequestSpec, WireError } from '../../src/index.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { callbackResult, callbackTo, failureOf, rejection, start } from './support/outcomes.ts';

const MIB = 1024 * 1024;

let env: Environment;

beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(async () => {
  expect(env.target.total).toBe(0);
  expect(env.worker.processor.state).toBe('running');
  await env[Symbol.asyncDispose]();
});

/** Temporal's word for an event, here of the callback, that came while the workflow ended. */
const UNHANDLED_COMMAND = 1;

/** A ready-made workflow's failure and its callback's argument. */
async function refused(
  type: string,
  spec: object,
  workflowId?: string,
): Promise<{ error: WireError; argument: CallbackArgument }> {
  const handle = await start(env, type, { callback: callbackTo(env), ...spec }, workflowId);
  const error = await failureOf(handle.result());
  const { events } = await handle.fetchHistory();
  const failed = events!.flatMap((event) => event.workflowTaskFailedEventAttributes ?? []);
  expect(failed.filter(({ cause }) => cause !== UNHANDLED_COMMAND)).toEqual([]);
  const { firstExecutionRunId } = handle;
  const argument = await callbackResult(env.client, handle.workflowId, firstExecutionRunId);
  expect(argument).toStrictEqual({
    requestId: error.requestId,
    outcome: 'error',
    error,
    callbackArgs: (spec as RequestSpec).callbackArgs ?? null,
    request: { workflowId: handle.workflowId, runId: firstExecutionRunId },
  });
  return { error, argument };
}

const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

const invalid = (message: string) => ({
  type: 'InvalidRequestError',
  errorType: 'invalid_request',
  message: expect.stringContaining(message),
  phase: 'prepare',
  attempt: 1,
  durationMs: 0,
});

describe.concurrent('a wrong spec', () => {
  const wrong = { url: 'http://target.test/path?q=hidden', timeout: -5, callbackArgs: { n: [1] } };
  const expected = { ...invalid('timeout: expected'), url: 'http://target.test/path' };

  test('through a ready-made workflow: refused at once, its callback told', async () => {
    const { error } = await refused('patientPut', wrong);
    expect(error).toMatchObject({ ...expected, method: 'PUT' });
  });

  test('through a child: one attempt, no retry', async () => {
    const { cause } = await env.run<{ cause: object }>('childFailure', [
      'patientGet',
      wrong,
      env.taskQueue,
    ]);
    expect(cause).toMatchObject({ type: 'InvalidRequestError', nonRetryable: true });
  });

  test('inline', async () => {
    const template = { taskQueue: env.taskQueue };
    const { error } = await env.run<{ error: WireError }>('inlineFailure', [wrong, template]);
    expect(error).toMatchObject(expected);
  });

  test('through PatientClient: refused before anything starts', async () => {
    const requestId = randomUUID();
    const error = await failureOf(env.patient.submit.get(wrong.url, { ...wrong, requestId }));
    expect(error).toMatchObject({ ...expected, requestId });
    const missing = await rejection(env.patient.handle(requestId).describe());
    expect(missing.name).toBe('WorkflowNotFoundError');
  });

  test('through submit: the request fails, its callback is told', async () => {
    const requestId = randomUUID();
    const spec = { ...wrong, requestId, callback: 'rawCallback' };
    expect(await env.run('submits', [[spec], env.taskQueue])).toEqual([requestId]);
    const handle = env.client.workflow.getHandle(requestId);
    expect(await failureOf(handle.result())).toMatchObject(expected);
    const { runId } = await handle.describe();
    expect(await callbackResult(env.client, requestId, runId)).toMatchObject({
      error: expected,
      callbackArgs: wrong.callbackArgs,
    });
  });

  test.each([
    ['nothing', undefined, 'expected a URL or an object, got undefined'],
    ['null', null, 'expected a URL or an object, got null'],
    ['a number', 5, 'expected a URL or an object, got 5'],
    ['an array', ['http://target.test'], 'expected a URL or an object, got an array'],
    ['no URL', 'no url', 'url: expected an http or https URL'],
    ['an empty object', {}, 'url: expected'],
  ])('that is %s', async (_, spec, message) => {
    for (const type of ['patientRequest', 'patientGet']) {
      const handle = await start(env, type, spec);
      expect(await failureOf(handle.result())).toMatchObject(invalid(message));
    }
  });

  test('of another method than the workflow or function', async () => {
    const spec = { url: 'http://target.test', method: 'POST' };
    const { error } = await refused('patientGet', spec);
    expect(error).toMatchObject(invalid('method: patientGet sends GET, got "POST"'));
    expect(await env.run('inlineMethodMismatch', [spec.url])).toMatchObject(
      invalid('method: patient.get sends GET, got "POST"'),
    );
  });

  test('with values no JSON can carry', async () => {
    const errors = await env.run<unknown[]>('inlineCircular', [wrong.url, env.taskQueue]);
    expect(errors).toEqual([
      expect.objectContaining(invalid('can be written as JSON')),
      expect.objectContaining(invalid('can be written as JSON')),
    ]);
  });
});

describe.concurrent('what would block a workflow is refused like the rest', () => {
  const url = 'http://target.test/';

  test.each<[string, object]>([
    ['requestId', { requestId: 'two words' }],
    ['requestId', { requestId: 'x'.repeat(5000) }],
    ['requestId', { requestId: 17 }],
    ['method', { method: '\u0000'.repeat(5000) }],
    ['method', { method: { toString: 1 } }],
    ['method', { method: nested(2000) }],
    ['priority.priorityKey', { priority: { priorityKey: 17 } }],
    ['priority.fairnessKey', { priority: { fairnessKey: 'é'.repeat(64) } }],
    ['priority.fairnessWeight', { priority: { fairnessWeight: -1 } }],
    ['heartbeatTimeout', { heartbeatTimeout: 1 }],
    ['timeout', { timeout: 1e300 }],
    ['deadline', { deadline: '1e9 weeks' }],
    ['result', { result: { deep: true } }],
  ])('%s %#', async (field, spec) => {
    const { error } = await refused('patientRequest', { url, ...spec });
    expect(error).toMatchObject(invalid(`${field}: expected`));
    expect(Buffer.byteLength(JSON.stringify(error))).toBeLessThan(4096);
  });

  test.each<[string, object]>([
    ['maximumAttempts', { maximumAttempts: -1 }],
    ['maximumAttempts', { maximumAttempts: 1.5 }],
    ['initialInterval', { initialInterval: 0 }],
    ['initialInterval', { initialInterval: 'soon' }],
    ['maximumInterval', { initialInterval: '2h', maximumInterval: '1h' }],
    ['backoffCoefficient', { backoffCoefficient: 0 }],
  ])('callback.retry.%s %#', async (field, retry) => {
    const { error } = await refused('patientGet', { url, callback: { ...callbackTo(env), retry } });
    expect(error).toMatchObject(invalid(`callback.retry.${field}: expected`));
  });

  test.each<[string, unknown]>([
    ['a number', 17],
    ['an empty name', ''],
    ['a name too long', 'x'.repeat(1001)],
    ['no workflow', {}],
    ['a workflow name too long', { workflow: 'x'.repeat(1001), taskQueue: 'q' }],
    ['both kinds', { workflow: 'w', taskQueue: 'q', signal: 's', workflowId: 'none' }],
  ])('callback that is %s', async (_, callback) => {
    const handle = await start(env, 'patientGet', { url, callback });
    expect(await failureOf(handle.result())).toMatchObject(invalid('callback'));
  });

  test.each(['patientGet', 'patientPost'])('method of no text, through %s', async (type) => {
    for (const method of [{ toString: 1 }, nested(2000), null]) {
      const { error } = await refused(type, { url, method });
      expect(error).toMatchObject(invalid('method: expected GET'));
    }
  });

  test('method of no text, inline and through submit', async () => {
    for (const method of [{ toString: 1 }, nested(2000)]) {
      const spec = { url, method, requestId: randomUUID() };
      const { error } = await env.run<{ error: WireError }>('inlineFailure', [
        spec,
        { taskQueue: env.taskQueue },
      ]);
      expect(error).toMatchObject(invalid('method: expected GET'));
      await env.run('submits', [[spec], env.taskQueue]);
      const submitted = env.client.workflow.getHandle(spec.requestId);
      expect(await failureOf(submitted.result())).toMatchObject(invalid('method: expected GET'));
    }
  });

  test('callbackArgs of 5,000 levels', async () => {
    const text = `{"url":"${url}","callback":${JSON.stringify(callbackTo(env))},"callbackArgs":${'['.repeat(5000)}${']'.repeat(5000)}}`;
    // Written by hand: to some JSON writers this is too deep.
    const spec = RawValue.fromPayload({
      metadata: { encoding: Buffer.from('json/plain') },
      data: Buffer.from(text),
    });
    const handle = await start(env, 'patientGet', spec);
    const error = await failureOf(handle.result());
    expect(error.message).toMatch(/callbackArgs.*at most 100 levels|can be written as JSON/);
    const { workflowId, firstExecutionRunId } = handle;
    expect(await callbackResult(env.client, workflowId, firstExecutionRunId)).toMatchObject({
      error,
      callbackArgs: null,
    });
  });

  test("callback on a queue of Temporal's own", async () => {
    const callback = { workflow: 'rawCallback', taskQueue: '/_sys/queue' };
    const handle = await start(env, 'patientGet', { url, callback });
    expect(await failureOf(handle.result())).toMatchObject(invalid('callback.taskQueue: expected'));
  });

  test('callback without a queue, where nobody knows one', async () => {
    for (const callback of ['rawCallback', { workflow: 'rawCallback' }]) {
      const handle = await start(env, 'patientPost', { url, callback });
      expect(await failureOf(handle.result())).toMatchObject({
        ...invalid('callback.taskQueue: expected the queue of the callback workflow'),
        method: 'POST',
        url,
      });
    }
  });

  test('an id of a thousand characters', async () => {
    const { argument } = await refused('patientGet', { url, timeout: 0 }, 'é'.repeat(400));
    expect(argument.request.workflowId).toBe('é'.repeat(400));
  });
});

describe.concurrent('a huge spec', () => {
  const url = 'http://target.test/';
  const tooLarge = (size: number) =>
    invalid(`spec: expected at most ${2 * MIB - 16 * 1024} bytes of JSON, got ${size}`);

  test('is refused by the workflow, and its callback told', async () => {
    const body = 'x'.repeat(2 * MIB - 10_000);
    const { error } = await refused('patientPost', { url, body, callbackArgs: { kept: true } });
    expect(error).toMatchObject(invalid('spec: expected at most'));
  });

  test('whose callbackArgs leave no room for a response: nothing is sent', async () => {
    const limit = 256 * 1024;
    const callbackArgs = 'x'.repeat(limit - 1);
    const { error } = await refused('patientPost', { url, callbackArgs });
    expect(error).toMatchObject(
      invalid(`callbackArgs: expected at most ${limit} bytes of JSON, got ${limit + 1}`),
    );
  });

  test('whose callbackArgs alone fit nowhere', async () => {
    const spec = { url, callbackArgs: 'x'.repeat(2 * MIB - 1000), callback: callbackTo(env) };
    const handle = await start(env, 'patientPost', spec);
    const error = await failureOf(handle.result());
    expect(error).toMatchObject(invalid('spec: expected at most'));
    const { workflowId, firstExecutionRunId } = handle;
    expect(await callbackResult(env.client, workflowId, firstExecutionRunId)).toMatchObject({
      error,
      callbackArgs: null,
    });
  });

  test('is refused by client, inline call and submit before Temporal sees it', async () => {
    const body = 'x'.repeat(3 * MIB);
    const size = JSON.stringify({ body, url, method: 'POST' }).length;
    expect(await failureOf(env.patient.post(url, { body }))).toMatchObject(tooLarge(size));
    const errors = await env.run<unknown[]>('hugeSpecs', [3 * MIB, env.taskQueue]);
    expect(errors).toEqual([
      expect.objectContaining(tooLarge(size)),
      expect.objectContaining(tooLarge(size)),
    ]);
  });
});
