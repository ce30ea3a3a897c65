/* Responses with a large body, which the ready-made workflows hand on without a look at them. */
import { readdir } from 'node:fs/promises';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PatientPlugin, type RequestSpec } from '../../src/index.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { callbackResult, callbackTo, failureOf } from '../temporal/support/outcomes.ts';
import { startSecondWorker } from '../temporal/support/second-worker.ts';
import { A, B, rawHistory, temporaryFolder, unique, type Folder } from './support.ts';

const SIZE = 3_000_000;
const BODY = 'x'.repeat(SIZE);
const LONG = 120_000;

let folder: Folder;
let env: Environment;

const options = () => ({
  ...{ payloadStore: folder.url, encryptionKeys: [`a:${A}`], maxResponseSize: SIZE },
});

beforeAll(async () => {
  folder = await temporaryFolder();
  env = await startEnvironment(options());
}, LONG);
afterAll(async () => {
  await env?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

async function stored(): Promise<number> {
  const entries = await readdir(folder.path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

/** The request's workflow, and what else is known of it. */
async function request(spec: Partial<RequestSpec> = {}, { patient, client, target } = env) {
  const requestId = unique('large');
  const url = target.url(`/bytes/${SIZE}`);
  const handle = await patient.submit.get(url, { requestId, ...spec });
  const response = await handle.result();
  const { runId } = await handle.describe();
  const history = await rawHistory(client, requestId);
  return { requestId, runId, response, history };
}

test('the result is the response, and stored once', async () => {
  const before = await stored();
  const { requestId, response, history } = await request({ callbackArgs: { id: 1 } });
  expect(response).toMatchObject({
    ...{ status: 200, bodyEncoding: 'utf8', requestId, attempt: 1, redirects: [] },
    ...{ method: 'GET', url: env.target.url(`/bytes/${SIZE}`), callbackArgs: { id: 1 } },
    headers: { 'content-type': 'text/plain', 'content-length': String(SIZE) },
  });
  expect(response!.body === BODY).toBe(true);
  expect(await stored()).toBe(before + 1);
  expect(history.includes('xxx')).toBe(false);
});

test('a small one and a large one have the same fields', async () => {
  const [large, small] = [await request(), await env.patient.get(env.target.url('/bytes/10'))];
  expect(Object.keys(large.response!).toSorted()).toEqual(Object.keys(small).toSorted());
});

test('with a callback, each of the two has it whole', async () => {
  const { requestId, runId, response } = await request({
    ...{ callback: callbackTo(env), callbackArgs: { id: 1 } },
  });
  expect(response!.body === BODY).toBe(true);
  const { response: told, ...rest } = await callbackResult(env.client, requestId, runId);
  expect(rest).toEqual({
    ...{ requestId, outcome: 'response', callbackArgs: { id: 1 } },
    request: { workflowId: requestId, runId },
  });
  expect(told).toMatchObject(JSON.parse(JSON.stringify(response)) as object);
});

test.each(['status', 'none'] as const)('with result %s only the callback', async (result) => {
  const before = await stored();
  const spec = { callback: callbackTo(env), result };
  const { requestId, runId, response } = await request(spec);
  if (result === 'none') expect(response).toBeNull();
  else expect(response).toMatchObject({ status: 200, headers: {}, body: null, requestId });
  const told = await callbackResult(env.client, requestId, runId);
  expect(told.response!.body === BODY).toBe(true);
  // The callback's argument, and its result, which is the same in these tests.
  expect(await stored()).toBe(before + 2);
});

test('a signal', async () => {
  const workflowId = unique('receiver');
  const receiver = env.run('waitForSignal', [], workflowId);
  await request({ callback: { signal: 'delivered', workflowId }, result: 'none' });
  expect(await receiver).toMatchObject({ outcome: 'response', response: { body: BODY } });
});

test('inline and from a child, workflow code has it whole', async () => {
  const url = env.target.url(`/bytes/${SIZE}`);
  for (const workflow of ['inlineRequest', 'childGet']) {
    const { body } = await env.run<{ body: string }>(workflow, [url, env.taskQueue]);
    expect(body === BODY).toBe(true);
  }
});

test("what would not fit into a batch's result does not go through its workflow", async () => {
  const before = await stored();
  const url = env.target.url(`/bytes/${SIZE}`);
  const small = env.target.url('/bytes/10');
  const requests = [url, small, url];
  const { outcomes, failed } = await env.patient.batch({ requests, chunkSize: 2 });
  expect(failed).toBe(2);
  expect(outcomes).toMatchObject([
    { error: { type: 'ResponseTooLargeError', response: { status: 200 } } },
    { response: { body: 'x'.repeat(10) } },
    { error: { type: 'ResponseTooLargeError' } },
  ]);
  expect(await stored()).toBe(before);
});

test('an error response is cut as ever', async () => {
  await using failing = await startEnvironment({
    ...options(),
    target: {
      handler: (_request, response) => {
        response.writeHead(500, { 'content-type': 'text/plain' }).end(BODY);
        return true;
      },
    },
  });
  const spec = { raiseErrorResponses: true, retry: { maximumAttempts: 1 } };
  const failure = await failureOf(failing.patient.get(failing.target.url('/'), spec));
  expect(failure.response).toMatchObject({
    ...{ status: 500, body: BODY.slice(0, 2048), bodyTruncated: true },
  });
});

test('the history replays, with a key that is new', async () => {
  const { requestId } = await request({ callback: callbackTo(env) });
  const history = await env.client.workflow.getHandle(requestId).fetchHistory();
  const plugins = [new PatientPlugin({ ...options(), encryptionKeys: [`b:${B}`, `a:${A}`] })];
  const { workflowBundle } = env;
  await Worker.runReplayHistory({ workflowBundle, plugins }, history, requestId);
});

test('processes with other options read it, while options are rolled out', async () => {
  const keys = { encryptionKeys: [`a:${A}`, `b:${B}`] };
  await using mixed = await startEnvironment({ ...options(), ...keys });
  const other = { ...options(), compress: true, encryptionKeys: [`b:${B}`, `a:${A}`] };
  await using _second = await startSecondWorker(mixed, { ...other, payloadThreshold: 1_000_000 });
  const spec = { callback: callbackTo(mixed) };
  const requests = await Promise.all(Array.from({ length: 6 }, () => request(spec, mixed)));
  for (const { requestId, runId, response } of requests) {
    expect(response!.body === BODY).toBe(true);
    const told = await callbackResult(mixed.client, requestId, runId);
    expect(told.response!.body === BODY).toBe(true);
  }
});

test('without a store, what compression makes small goes the same way', async () => {
  await using compressing = await startEnvironment({ compress: true, maxResponseSize: SIZE });
  const { response, history } = await request({}, compressing);
  expect(response!.body === BODY).toBe(true);
  expect(history.length).toBeLessThan(50_000);
});

test('with a store it works, however high the threshold', async () => {
  await using high = await startEnvironment({ ...options(), payloadThreshold: 10_000_000 });
  const { response } = await request({}, high);
  expect(response!.body === BODY).toBe(true);
});

test('without either it is refused, clearly', async () => {
  await using plain = await startEnvironment({ maxResponseSize: SIZE });
  const failure = await failureOf(request({}, plain));
  expect(failure).toMatchObject({ type: 'ResponseTooLargeError', phase: 'sent' });
  expect(failure.message).toMatch(/^HTTP 200 response of 300\d+ bytes as JSON is above/);
});

/** A user's own, which leaves nothing as it was. */
const own: PayloadCodec = {
  encode: async (payloads) => payloads.map(flipped),
  decode: async (payloads) => payloads.map(flipped),
};

function flipped(payload: Payload): Payload {
  return { ...payload, data: payload.data!.map((byte) => byte ^ 0xff) };
}

test("a user's own codec gets it whole", async () => {
  await using codec = await startEnvironment({
    ...options(),
    dataConverter: { payloadCodecs: [own] },
  });
  const { requestId, runId, response } = await request({ callback: callbackTo(codec) }, codec);
  expect(response!.body === BODY).toBe(true);
  const told = await callbackResult(codec.client, requestId, runId);
  expect(told.response!.body === BODY).toBe(true);
});

test('only who reads the body needs the store', async () => {
  const { requestId } = await request();
  const history = await env.client.workflow.getHandle(requestId).fetchHistory();
  const plugins = [new PatientPlugin({ encryptionKeys: [`a:${A}`] })];
  const { workflowBundle } = env;
  await Worker.runReplayHistory({ workflowBundle, plugins }, history, requestId);
});
