import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { waitFor } from '../support/wait-for.ts';

let env: Environment;

beforeAll(async () => {
  env = await startEnvironment({
    encryptionKeys: [{ id: 'k', key: Buffer.alloc(32, 1).toString('base64') }],
  });
});
afterAll(() => env?.[Symbol.asyncDispose]());

function headersOf(path: string, header: string): unknown[] {
  const hits = env.target.hits.filter((hit) => hit.path === path);
  return hits.map(({ headers }) => headers[header]);
}

test('a request is started again, as a new one, with the same argument', async () => {
  const path = `/status/400?${randomUUID()}`;
  const handle = await env.patient.submit.post(env.target.url(path), {
    ...{ json: { amount: 1 }, raiseErrorResponses: true, callbackArgs: { order: 17 } },
    idempotencyKey: true,
  });
  await expect(handle.result()).rejects.toThrow('HTTP 400');

  const id = await env.patient.redrive(handle.requestId);
  expect(id).toMatch(new RegExp(`^${handle.requestId}:redrive:[0-9a-f]{8}$`));
  await expect(env.patient.handle(id).result()).rejects.toThrow('HTTP 400');
  const bodies = env.target.hits.filter((hit) => hit.path === path).map((hit) => hit.body);
  expect(bodies).toEqual(Array(2).fill('{"amount":1}'));
  const [first, second] = headersOf(path, 'x-request-id') as string[];
  expect(first).toBe(handle.requestId);
  expect(second).toContain(id);
  expect(headersOf(path, 'idempotency-key')).toEqual([first, second]);

  const again = await env.patient.redrive(id);
  expect(again).toMatch(new RegExp(`^${handle.requestId}:redrive:[0-9a-f]{8}$`));
  await expect(env.patient.handle(again).result()).rejects.toThrow('HTTP 400');
});

test("an idempotency key of the caller's stays, and a URL alone is an argument too", async () => {
  const path = `/status/200?${randomUUID()}`;
  const handle = await env.patient.submit.post(env.target.url(path), {
    idempotencyKey: 'order-17',
  });
  await handle.result();
  await env.patient.handle(await env.patient.redrive(handle.requestId)).result();
  expect(headersOf(path, 'idempotency-key')).toEqual(['order-17', 'order-17']);

  const workflowId = randomUUID();
  const { taskQueue } = env;
  const args = [env.target.url(path)];
  await env.client.workflow.execute('patientGet', { workflowId, taskQueue, args });
  expect(await env.patient.handle(await env.patient.redrive(workflowId)).result()).toMatchObject({
    status: 200,
  });
});

test('a batch is started again with all it began with', async () => {
  const paths = ['0', '1', '2'].map((name) => `/status/200?${name}-${randomUUID()}`);
  const batch = {
    requests: paths.map((path, i) => ({ url: env.target.url(path), requestId: `mine-${i}` })),
  };
  const workflowId = randomUUID();
  await env.patient.batch(batch, workflowId);
  const id = await env.patient.redrive(workflowId);
  const result = await env.client.workflow.getHandle(id).result();
  expect(result).toMatchObject({ succeeded: 3, failed: 0 });
  for (const path of paths) {
    const [first, second] = headersOf(path, 'x-request-id');
    expect(first).toMatch(/^mine-/);
    expect(second).toContain(id);
  }
});

test('what still runs, is not there or is nothing of ours is refused', async () => {
  const handle = await env.patient.submit.get(env.target.url('/hold'));
  await env.target.waitFor(({ inFlight }) => inFlight === 1);
  await expect(env.patient.redrive(handle.requestId)).rejects.toThrow(
    `redrive: ${handle.requestId} still runs`,
  );
  env.target.release();
  await handle.result();
  await expect(env.patient.redrive('nobody')).rejects.toThrow('redrive: nobody is not there');
  await expect(env.patient.redrive('nobody', randomUUID())).rejects.toThrow(/run .* is not there/);
  const workflowId = randomUUID();
  await env.run(
    'inlineRequest',
    [{ url: env.target.url('/status/200') }, env.taskQueue],
    workflowId,
  );
  await expect(env.patient.redrive(workflowId)).rejects.toThrow(
    `redrive: ${workflowId} is of type inlineRequest, no ready-made workflow`,
  );
});

test('batches that run are listed with their progress', async () => {
  const ids = [randomUUID(), randomUUID()];
  const handles = await Promise.all(
    ids.map((id) =>
      env.patient.submitBatch(
        { requests: [env.target.url('/hold'), env.target.url('/status/200')] },
        id,
      ),
    ),
  );
  // Not `inFlight`: that is two while one batch has both its requests there and the other none.
  await env.target.waitFor(({ held }) => held === 2);
  // Visibility is told of a workflow a moment later.
  const batches = await waitFor(async () => {
    const found = await env.patient.batches();
    return found.length === 2 && found.every(({ progress }) => progress) && found;
  });
  expect(batches.map(({ workflowId }) => workflowId).toSorted()).toEqual(ids.toSorted());
  expect(batches[0]).toMatchObject({ progress: { total: 2, running: 2, failed: 0 } });
  expect(await env.patient.batches(1)).toHaveLength(1);
  env.target.release();
  await waitFor(() => Promise.all(handles.map((handle) => handle.result())), {
    message: 'the end of both batches',
  });
  await waitFor(async () => (await env.patient.batches()).length === 0);
});
