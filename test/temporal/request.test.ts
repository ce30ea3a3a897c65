import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEnvironment, type Environment } from '../support/environment.ts';

let env: Environment;

beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(() => env?.[Symbol.asyncDispose]());

test('a ready-made workflow gives the response', async () => {
  const response = await env.client.workflow.execute('patientGet', {
    taskQueue: env.taskQueue,
    workflowId: 'first',
    args: [{ url: env.target.url('/delay/20') }],
  });
  expect(response).toMatchObject({ status: 200, method: 'GET', attempt: 1, redirects: [] });
});

test('a URL alone is a request', async () => {
  const response = await env.patient.get(env.target.url('/status/404'));
  expect(response.status).toBe(404);
  expect(response.ok).toBe(false);
});

test('an inline call is one activity', async () => {
  const response = await env.run('inlineRequest', [
    { url: env.target.url('/echo'), method: 'POST', json: { a: 1 } },
    env.taskQueue,
  ]);
  expect(response).toMatchObject({ status: 200, method: 'POST' });
});

test('a child gives the response', async () => {
  const response = await env.run('childGet', [env.target.url('/delay/1'), env.taskQueue]);
  expect(response).toMatchObject({ status: 200 });
});
