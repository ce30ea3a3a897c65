import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hmacSigner, type Preprocessor, type ProcessorObserver } from '../../src/index.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { expectNoSecret } from '../support/secret-forms.ts';
import { failureOf, start } from './support/outcomes.ts';

const KEY = 'sk_live_/9+"Zq&=%7A';
/** What observers are told. */
const told: unknown[] = [];
let clock = 0;

let env: Environment;

const preprocessors: Record<string, Preprocessor> = {
  stamp: () => ({ headers: { 'x-time': String(++clock) } }),
  sign: hmacSigner({
    secret: 'KEY',
    content: ({ method, url, headers, body }) =>
      Buffer.concat([Buffer.from(`${method} ${url} ${String(headers['x-time'])} `), body]),
  }),
  fails: async (_request, { secret }) => {
    const key = await secret('KEY');
    throw new Error(`cannot sign with ${key}`, { cause: { key } });
  },
  failsOnce: () => {
    if (++clock % 2 === 0) return;
    throw new Error('not now');
  },
};

beforeAll(async () => {
  const tell = (...args: unknown[]): void => void told.push(...args);
  const observer: ProcessorObserver = {
    requestStart: tell,
    requestResponse: tell,
    requestError: tell,
    requestEnd: tell,
  };
  env = await startEnvironment({
    secrets: async (name) => (name === 'KEY' ? KEY : undefined),
    preprocessors,
    observers: [observer],
  });
});
afterAll(() => env?.[Symbol.asyncDispose]());

const headers = { authorization: { $secret: 'KEY', prefix: 'Bearer ' } };

test('each try is signed anew, over what it sends', async () => {
  const response = await env.patient.put(env.target.url('/flaky/sign/1/503?a=1'), {
    ...{ headers, json: { a: 1 }, preprocessors: ['stamp', 'sign'], retry: { initialInterval: 1 } },
  });
  expect(response).toMatchObject({ status: 200, attempt: 2 });
  const hits = env.target.hits.filter(({ path }) => path.startsWith('/flaky/sign'));
  expect(new Set(hits.map((hit) => hit.headers['x-time'])).size).toBe(2);
  for (const { method, path, headers, body } of hits) {
    const hmac = createHmac('sha256', KEY);
    hmac.update(`${method} ${env.target.origin}${path} ${String(headers['x-time'])} ${body}`);
    expect(headers['x-signature']).toBe(hmac.digest('hex'));
  }
});

test('a preprocessor that failed runs again with the next try, also of a POST', async () => {
  clock = 0;
  const response = await env.patient.post(env.target.url('/echo'), {
    ...{ preprocessors: ['failsOnce'], retry: { initialInterval: 1 } },
  });
  expect(response).toMatchObject({ status: 200, attempt: 2 });
});

test('an unknown one is not tried again', async () => {
  const failed = env.patient.get(env.target.url('/echo'), { preprocessors: ['nobody'] });
  expect(await failureOf(failed)).toMatchObject({
    ...{ type: 'PreprocessorError', errorType: 'preprocessor', phase: 'prepare', attempt: 1 },
  });
});

test('a template keeps references, inline too; nothing of a secret is in the history', async () => {
  const workflowId = `secrets-${Date.now()}`;
  const spec = { url: env.target.url('/echo'), method: 'POST', headers, json: { a: 1 } };
  const response = await env.run<{ body: string }>(
    'inlineRequest',
    [{ ...spec, preprocessors: ['sign'] }, env.taskQueue],
    workflowId,
  );
  expect(response.body).toContain('Bearer [secret KEY]');
  const history = await env.client.workflow.getHandle(workflowId).fetchHistory();
  expect(() => expectNoSecret(['[secret KEY]'], { history })).toThrow();
  expectNoSecret([KEY], { history });
});

test('errors in history and for observers hold none', async () => {
  const handle = await start(env, 'patientGet', {
    ...{ url: env.target.url('/echo'), headers, preprocessors: ['fails'] },
    retry: { maximumAttempts: 2, initialInterval: 1 },
  });
  expect(await failureOf(handle.result())).toMatchObject({
    ...{ type: 'PreprocessorError', attempt: 2 },
    message: expect.stringContaining('preprocessor fails: cannot sign with [secret KEY]'),
  });
  const history = await handle.fetchHistory();
  expect(() => expectNoSecret(['[secret KEY]'], { history, told })).toThrow();
  expectNoSecret([KEY], { history, told });
});
