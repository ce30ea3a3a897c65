/*
 * The stand-in under the time-skipping test server. The SDK downloads that server; where it cannot
 * be had, the test is skipped and says why.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { createInlineActivities } from '../../src/testing/index.ts';
import type { RequestSpec, WireResponse } from '../../workflows/index.ts';
import { quietRuntime } from '../support/environment.ts';

const HOUR = 60 * 60_000;
/** A network that drops packets must not hold up the tests. */
const PATIENCE = 12_000;

async function startServer(): Promise<TestWorkflowEnvironment | string> {
  const starting = TestWorkflowEnvironment.createTimeSkipping().catch((error: unknown) =>
    String(error),
  );
  const late = delay(PATIENCE, `not there after ${PATIENCE} ms`, { ref: false });
  const started = await Promise.race([starting, late]);
  if (typeof started !== 'string') return started;
  // One that comes too late is not needed any more.
  void starting.then((env) => (typeof env === 'string' ? undefined : env.teardown()));
  return started;
}

test('the hour before the next try is skipped', async ({ skip }) => {
  quietRuntime();
  const env = await startServer();
  if (typeof env === 'string') {
    console.warn(`Skipped: no time-skipping test server (${env})`);
    return skip('no time-skipping test server');
  }
  const answers = [{ status: 503 }, { body: 'at last' }];
  await using activities = createInlineActivities({ respond: () => answers.shift()! });
  try {
    const taskQueue = `skipping-${randomUUID()}`;
    const { nativeConnection: connection } = env;
    const workflowsPath = fileURLToPath(new URL('./workflows/plain.ts', import.meta.url));
    const worker = await Worker.create({ connection, taskQueue, workflowsPath });
    const requests = await Worker.create({
      ...{ connection, taskQueue: `${taskQueue}:requests`, activities: { ...activities } },
    });
    const retry = { initialInterval: '1h', maximumInterval: '1h' };
    const spec: RequestSpec = { url: 'http://api.test', retry };
    const begun = await env.currentTimeMs();
    const response: WireResponse = await requests.runUntil(
      worker.runUntil(() =>
        env.client.workflow.execute('inlineOn', {
          ...{ taskQueue, workflowId: randomUUID(), args: [taskQueue, spec] },
        }),
      ),
    );
    expect(response).toMatchObject({ body: 'at last', attempt: 2 });
    // Jitter takes up to a fifth of it.
    expect((await env.currentTimeMs()) - begun).toBeGreaterThan(HOUR / 2);
  } finally {
    await env.teardown();
  }
});
