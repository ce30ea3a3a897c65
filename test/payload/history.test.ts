import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { PatientOptions } from '../../src/index.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { callbackResult, callbackTo, failureOf } from '../temporal/support/outcomes.ts';
import { A, rawHistory, temporaryFolder, unique, type Folder } from './support.ts';

/** In every body, argument and header of these tests. */
const WORD = 'rosebud';

let folder: Folder;

beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder?.[Symbol.asyncDispose]());

const variants: [string, () => PatientOptions][] = [
  ['nothing', () => ({})],
  ['compression', () => ({ compress: true })],
  ['encryption', () => ({ encryptionKeys: [`a:${A}`] })],
  ['a store', () => ({ payloadStore: folder.url, payloadThreshold: 100 })],
  [
    'all of it',
    () => ({
      ...{ compress: true, encryptionKeys: [`a:${A}`] },
      ...{ payloadStore: folder.url, payloadThreshold: 300 },
    }),
  ],
];

describe.each(variants)('with %s', (_name, options) => {
  let env: Environment;

  beforeAll(async () => {
    env = await startEnvironment({ ...options(), target: { handler: answer } });
  });
  afterAll(() => env?.[Symbol.asyncDispose]());

  /** Of the plaintext nothing is in the history, or all of it. */
  async function expectHistory(workflowId: string): Promise<void> {
    const history = await rawHistory(env.client, workflowId);
    const { encryptionKeys, compress, payloadStore } = options();
    if (encryptionKeys) expect(history.includes(WORD)).toBe(false);
    // Or the search would prove nothing.
    else if (!compress && !payloadStore) expect(history.includes(WORD)).toBe(true);
  }

  test('input, result, callback argument', async () => {
    const requestId = unique('payload');
    const handle = await env.patient.submit.post(env.target.url('/body'), {
      ...{ requestId, json: { word: WORD }, headers: { authorization: WORD } },
      ...{ callback: callbackTo(env), callbackArgs: { word: WORD } },
    });
    expect(await handle.result()).toMatchObject({ status: 200, body: body() });
    await expectHistory(requestId);
    const { runId } = await handle.describe();
    expect(await callbackResult(env.client, requestId, runId)).toMatchObject({
      response: { body: body() },
      callbackArgs: { word: WORD },
    });
    await expectHistory(`${requestId}:callback:${runId}`);
  });

  test('failure details, inline', async () => {
    const workflowId = unique('payload');
    const failed = failureOf(
      env.run(
        'inlineRequest',
        [
          { url: env.target.url('/body'), raiseErrorResponses: true, method: 'DELETE' },
          env.taskQueue,
        ],
        workflowId,
      ),
    );
    expect((await failed).response).toMatchObject({
      status: 403,
      body: expect.stringContaining(WORD),
    });
    await expectHistory(workflowId);
  });

  test('a batch', async () => {
    const workflowId = unique('payload');
    const url = env.target.url('/body');
    const requests = [url, { url, method: 'DELETE', raiseErrorResponses: true }];
    const { outcomes } = await env.client.workflow.execute('patientBatch', {
      ...{ taskQueue: env.taskQueue, workflowId },
      args: [{ requests, defaults: { headers: { word: WORD } } }],
    });
    expect(outcomes).toMatchObject([
      { response: { body: body() } },
      { error: { type: 'HttpStatusError', response: { status: 403 } } },
    ]);
    await expectHistory(workflowId);
  });

  test('a query', async () => {
    const handle = await env.client.workflow.start('keepForQueries', {
      ...{ taskQueue: env.userQueue, workflowId: unique('payload') },
      args: [{ url: env.target.url('/body'), headers: { word: WORD } }, env.taskQueue],
    });
    await env.target.waitFor(({ total }) => total > 0);
    expect(await vi.waitUntil(() => handle.query('last').catch(() => undefined), 45_000)).toBe(
      body(),
    );
    await handle.signal('finish');
    expect(await handle.result()).toBe(200);
    await expectHistory(handle.workflowId);
  });

  test('a signal as callback', async () => {
    const workflowId = unique('payload');
    const receiver = await env.client.workflow.start('waitForSignal', {
      ...{ taskQueue: env.userQueue, workflowId },
    });
    await env.patient.submit.get(env.target.url('/body'), {
      callback: { signal: 'delivered', workflowId },
    });
    expect(await receiver.result()).toMatchObject({ response: { body: body() } });
    await expectHistory(workflowId);
  });
});

/** Over every threshold of these tests, compressed or not. */
function body(): string {
  const numbers = Array.from({ length: 500 }, (_, i) => (i * 7919) % 997);
  return JSON.stringify({ word: WORD, numbers });
}

function answer({ method }: IncomingMessage, response: ServerResponse): boolean {
  response.writeHead(method === 'DELETE' ? 403 : 200, { 'content-type': 'application/json' });
  response.end(body());
  return true;
}
