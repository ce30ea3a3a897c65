import { afterAll, beforeAll, expect, test } from 'vitest';
import { requestError } from '../../src/index.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { waitFor } from '../support/wait-for.ts';

let env: Environment;

beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(() => env?.[Symbol.asyncDispose]());

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => Promise.reject(new Error('It did not fail')),
    (error: unknown) => error,
  );

test('without Redis the fleet is the process itself', async () => {
  const { fleet } = env.worker;
  expect(fleet.scope).toBe('process');
  const [own, ...others] = await fleet.processes();
  expect(own).toMatchObject({ pid: process.pid, state: 'running', inFlight: 0 });
  expect(others).toEqual([]);
  expect(await fleet.ping()).toBeUndefined();

  const handle = await env.patient.submit.get(env.target.url('/hold?secret'));
  await env.target.waitFor(({ inFlight }) => inFlight === 1);
  const page = await fleet.requests({ text: handle.requestId });
  expect(page).toMatchObject({
    ...{ matched: 1, total: 1, silent: [] },
    rows: [{ requestId: handle.requestId, path: '/hold', phase: 'sent', process: own!.id }],
  });
  expect(await fleet.requests({ process: 'another' })).toMatchObject({ matched: 0, rows: [] });
  const { key } = page.rows[0]!;
  expect(await fleet.cancel(key)).toBe('told');
  expect(requestError(await failure(handle.result()))).toMatchObject({
    type: 'CancelledError',
    message: expect.stringMatching(/ was cancelled by an operator after \d+ ms$/),
  });
  await expect(fleet.cancel(key)).rejects.toThrow(`cancel: ${key.workflowId}: not in flight here`);
  expect(await fleet.failures()).toMatchObject([{ type: 'CancelledError', path: '/hold' }]);
  expect((await fleet.statistics()).totals).toMatchObject({ requests: 1, errors: 1 });
  await fleet.clearStatistics();
  expect(await fleet.failures()).toEqual([]);
  expect((await fleet.statistics()).totals.requests).toBe(0);
});

test('a paused key: what waits for it is seen, and goes on when it is resumed', async () => {
  const { fleet } = env.worker;
  await fleet.flow.pause('prices');
  const handle = await env.patient.submit.get(env.target.url('/status/200'), {
    flow: { key: 'prices' },
  });
  const [row] = await waitFor(async () => {
    const { rows } = await fleet.requests({});
    return rows[0]?.waitingFor === undefined ? undefined : rows;
  });
  expect(row).toMatchObject({ waitingFor: 'prices', phase: 'queued', attempt: 1 });
  expect((await fleet.flow.list()).rows).toMatchObject([{ key: 'prices', paused: true }]);
  expect(env.target.count('/status/200')).toBe(0);
  await fleet.flow.resume('prices');
  expect(await handle.result()).toMatchObject({ status: 200 });
});

test('an item of a batch is cancelled alone, a batch with all of its items', async () => {
  const { fleet } = env.worker;
  const url = env.target.url('/hold');
  const some = await env.patient.submitBatch({ requests: [url, url] });
  const all = await env.patient.submitBatch({ requests: [url, url] });
  await env.target.waitFor(({ inFlight }) => inFlight === 4);
  const { rows } = await fleet.requests({ text: some.workflowId });
  await fleet.cancel(rows.find(({ key }) => key.index === 0)!.key);
  const [other] = (await fleet.requests({ text: all.workflowId })).rows;
  const { index: _, ...whole } = other!.key;
  await fleet.cancel(whole);
  await env.target.waitFor(({ inFlight }) => inFlight === 1);
  env.target.release();
  const cancelled = { error: { type: 'CancelledError' } };
  expect(await some.result()).toMatchObject({
    outcomes: [cancelled, { response: { status: 200 } }],
  });
  expect(await all.result()).toMatchObject({ outcomes: [cancelled, cancelled] });
});

test('it drains itself', async () => {
  const { worker } = env;
  await expect(worker.fleet.drain('another')).rejects.toThrow('process: another is not there');
  const [own] = await worker.fleet.processes();
  await worker.fleet.drain(own!.id);
  expect(await worker.run()).toBe(0);
  expect(await worker.fleet.processes()).toMatchObject([{ state: 'stopped' }]);
});
