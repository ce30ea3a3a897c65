import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { waitFor } from '../support/wait-for.ts';

let env: Environment;

beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(() => env?.[Symbol.asyncDispose]());

/** Progress and attempt of the one pending activity, as Temporal has it. */
async function pending(workflowId: string) {
  const { raw } = await env.client.workflow.getHandle(workflowId).describe();
  const activity = raw.pendingActivities?.[0];
  const data = activity?.heartbeatDetails?.payloads?.[0]?.data;
  const progress = data ? JSON.parse(Buffer.from(data).toString()) : undefined;
  return { activity, attempt: activity?.attempt, progress };
}

/** Blocks this process, workers and all, as a stalled event loop would. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function arrived(path: string): Promise<void> {
  return env.target.waitFor(({ hits }) => hits.some((hit) => hit.path === path));
}

/** A request that the target holds, and that heartbeats every third of a second. */
async function hold(method: 'get' | 'post') {
  const requestId = randomUUID();
  const path = `/hold?${requestId}`;
  const handle = await env.patient.submit[method](env.target.url(path), {
    requestId,
    heartbeatTimeout: '1s',
  });
  await arrived(path);
  return { requestId, path, handle };
}

test('Temporal has the mark before the target has the request', async () => {
  const requestId = randomUUID();
  const path = `/hold?${requestId}`;
  const handle = await env.patient.submit.post(env.target.url(path), { requestId, json: {} });
  await arrived(path);
  expect((await pending(requestId)).progress).toEqual({ sent: true, tries: 0, returns: 0 });
  env.target.release();
  await handle.result();
});

test('what may be re-sent is not marked', async () => {
  const requestId = randomUUID();
  const path = `/hold?${requestId}`;
  const handle = await env.patient.submit.get(env.target.url(path), { requestId });
  await arrived(path);
  expect((await pending(requestId)).progress).toBeUndefined();
  env.target.release();
  await handle.result();
});

test.each(['get', 'post'] as const)(
  'a false heartbeat timeout re-attaches: the %s goes on with its socket',
  async (method) => {
    const { requestId, path, handle } = await hold(method);
    stall(3_000);
    // The attempt after the timeout finds its owner alive, and says so with its heartbeats.
    let seen: Awaited<ReturnType<typeof pending>> | undefined;
    await waitFor(
      async () => {
        seen = await pending(requestId);
        return (seen.attempt ?? 1) >= 2 && seen.progress?.returns >= 1;
      },
      { message: () => `attempt ${seen?.attempt}, progress ${JSON.stringify(seen?.progress)}` },
    );
    env.target.release();
    expect(await handle.result()).toMatchObject({ status: 200, attempt: 1 });
    expect(env.target.hits.filter((hit) => hit.path === path)).toHaveLength(1);
  },
);

test('a response that arrives while its attempt is fenced is delivered by the next', async () => {
  const requestId = randomUUID();
  const path = `/delay/2500?${requestId}`;
  const handle = await env.patient.submit.post(env.target.url(path), {
    requestId,
    heartbeatTimeout: '1s',
  });
  await arrived(path);
  stall(3_000);
  expect(await handle.result()).toMatchObject({ status: 200, attempt: 1 });
  expect(env.target.hits.filter((hit) => hit.path === path)).toHaveLength(1);
});

test('a full worker still gets the attempts that its fenced outcomes wait for', async () => {
  await using full = await startEnvironment({ maxConnections: 3 });
  const paths = ['post', 'get', 'flaky'].map((kind) => `/delay/2500?${kind}-${randomUUID()}`);
  const handles = await Promise.all(
    paths.map((path, i) =>
      full.patient.submit[i === 0 ? 'post' : 'get'](full.target.url(path), {
        heartbeatTimeout: '1s',
      }),
    ),
  );
  await full.target.waitFor(({ inFlight }) => inFlight === 3);
  // Waits in front of the attempts that follow the timeout.
  const last = await full.patient.submit.get(full.target.url('/echo'));
  stall(3_000);
  for (const handle of handles) {
    expect(await handle.result()).toMatchObject({ status: 200, attempt: 1 });
  }
  expect(await last.result()).toMatchObject({ status: 200 });
  expect(full.target.total).toBe(4);
});

test('heartbeats keep a slow request alive well beyond its heartbeat timeout', async () => {
  const requestId = randomUUID();
  const handle = await env.patient.submit.get(env.target.url('/delay/3500'), {
    requestId,
    heartbeatTimeout: '1s',
  });
  expect(await handle.result()).toMatchObject({ status: 200, attempt: 1 });
  expect(env.target.count('/delay/3500')).toBe(1);
});

test('terminating the workflow closes the socket with the next heartbeat', async () => {
  const requestId = randomUUID();
  const path = `/hold?${requestId}`;
  await env.patient.submit.get(env.target.url(path), { requestId, heartbeatTimeout: '3s' });
  await arrived(path);
  await env.client.workflow.getHandle(requestId).terminate();
  await env.target.waitFor(({ hits }) => hits.some((hit) => hit.path === path && hit.aborted));
  await waitFor(() => env.worker.processor.total === 0);
});

test('a reset aborts what may be re-sent, and it runs again', async () => {
  const { requestId, path, handle } = await hold('get');
  await resetActivity(requestId);
  await env.target.waitFor(
    ({ hits }) =>
      hits.filter((hit) => hit.path === path && !hit.aborted).length === 1 &&
      hits.filter((hit) => hit.path === path).length === 2,
  );
  env.target.release();
  expect(await handle.result()).toMatchObject({ status: 200 });
});

test('a reset leaves alone what was sent and may not be re-sent', async () => {
  const { requestId, path, handle } = await hold('post');
  await resetActivity(requestId);
  const before = (await pending(requestId)).activity!.lastHeartbeatTime;
  await waitFor(async () => {
    const { activity } = await pending(requestId);
    return String(activity?.lastHeartbeatTime?.seconds) > String(before?.seconds);
  });
  env.target.release();
  expect(await handle.result()).toMatchObject({ status: 200 });
  expect(env.target.hits.filter((hit) => hit.path === path)).toHaveLength(1);
});

test('a pause lets what is in flight go on', async () => {
  const { requestId, path, handle } = await hold('get');
  const { activity } = await pending(requestId);
  await env.client.workflowService.pauseActivity({
    namespace: 'default',
    execution: { workflowId: requestId },
    id: activity!.activityId!,
  });
  const before = activity!.lastHeartbeatTime;
  await waitFor(async () => {
    const now = (await pending(requestId)).activity?.lastHeartbeatTime;
    return String(now?.seconds ?? 0) > String(before?.seconds ?? 0);
  });
  env.target.release();
  expect(await handle.result()).toMatchObject({ status: 200 });
  expect(env.target.hits.filter((hit) => hit.path === path)).toHaveLength(1);
});

async function resetActivity(workflowId: string): Promise<void> {
  const { activity } = await pending(workflowId);
  await env.client.workflowService.resetActivity({
    namespace: 'default',
    execution: { workflowId },
    id: activity!.activityId!,
  });
}
