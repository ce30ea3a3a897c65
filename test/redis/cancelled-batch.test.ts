/* A batch that is cancelled when the process that ran it is gone. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { SinkItem } from '../../src/index.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { waitFor } from '../support/wait-for.ts';
import { LEASE_TTL, startFleet, type Fleet } from './fleet.ts';

const workflowsPath = fileURLToPath(new URL('../temporal/workflows/', import.meta.url));

/** A process with the workflows and one place, which is taken; another one runs what is asked for next. */
async function startFull(fleet: Fleet, saved: SinkItem[]): Promise<Environment> {
  const save = async (items: SinkItem[]): Promise<void> => void saved.push(...items);
  const env = await startEnvironment({
    ...{ taskQueue: fleet.taskQueue, redisUrl: fleet.redis.url, leaseTtl: LEASE_TTL },
    maxConnections: 1,
    user: { activities: { save }, workflowsPath },
  });
  await env.patient.submit.get(fleet.target.url('/hold?single'));
  await fleet.target.waitFor(({ held }) => held === 1);
  return env;
}

test.each([
  ['before its end is noticed', false],
  ['when the next attempt waits for a place', true],
])(
  '%s: what had ended is told, what may have been sent is unknown',
  async (_when, isQueued) => {
    await using fleet = await startFleet();
    const { target } = fleet;
    const saved: SinkItem[] = [];
    await using env = await startFull(fleet, saved);
    const victim = await fleet.worker();
    const requests = ['/bytes/9?0', '/status/201?1', '/hold?2', '/hold?3', '/hold?4'].map(
      (path, i) => ({ url: target.url(path), method: i % 2 ? 'POST' : 'GET' }),
    );
    const sink = { activity: 'save', taskQueue: env.userQueue };
    const batch = await env.client.workflow.start('inlineBatch', {
      ...{ workflowId: `cancelled-${env.userQueue}`, taskQueue: env.userQueue },
      args: [requests, env.taskQueue, { sink }],
    });
    await target.waitFor(({ held }) => held === 4);
    const { redis } = fleet.redis;
    const record = await waitFor(async () => (await redis.keys('*:request:*cancelled-*'))[0]);
    const isSettled = async (): Promise<boolean> => {
      const fields = await redis.hkeys(record);
      return fields.filter((field) => field.startsWith('outcome:')).length === 2;
    };
    await waitFor(isSettled);
    victim.kill('SIGKILL');
    await victim.end();
    if (isQueued) {
      await waitFor(async () => {
        const { raw } = await batch.describe();
        return raw.pendingActivities![0]!.attempt === 2;
      });
    }
    await batch.cancel();
    await expect(batch.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
    const items = saved.toSorted((a, b) => a.index - b.index);
    expect(items).toMatchObject([
      { index: 0, response: { status: 200, body: 'xxxxxxxxx' } },
      { index: 1, response: { status: 201 } },
      { index: 2, error: { type: 'CancelledError', phase: 'sent' } },
      { index: 3, error: { type: 'OutcomeUnknownError', phase: 'sent', method: 'POST' } },
      { index: 4, error: { type: 'CancelledError', phase: 'sent' } },
    ]);
    expect(target.hits.filter(({ path }) => path !== '/hold?single')).toHaveLength(5);
    target.release();
  },
  60_000,
);
