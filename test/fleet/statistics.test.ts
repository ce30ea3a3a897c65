import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFleet, type WorkerFleet } from '../../src/fleet/create.ts';
import { openFleet } from '../../src/fleet/open.ts';
import type { Fleet } from '../../src/fleet/port.ts';
import { RedisLiveness } from '../../src/liveness/redis.ts';
import { memoryFlow } from '../flow/processes.ts';
import type { Ending } from '../../src/processor/task-handler.ts';
import { Harness } from '../processor/harness.ts';
import { quiet, seal } from '../redis/owner.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';

/** A call fails after a third of it: what is flushed while answers are lost is flushed before that. */
const LEASE_TTL = 9_000;

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis({ persistent: true });
});
afterAll(() => redis?.[Symbol.asyncDispose]());

interface Member extends AsyncDisposable {
  harness: Harness;
  fleet: Fleet;
  network: TcpProxy;
}

/** A processor with its part in a fleet, as the worker composes them. */
async function startMember(taskQueue: string): Promise<Member> {
  const network = await startTcpProxy(redis.port);
  const liveness = new RedisLiveness({
    url: `redis://127.0.0.1:${network.port}`,
    ...{ namespace: 'default', taskQueue, leaseTtl: LEASE_TTL, seal, log: quiet },
    releaseOrphan: async () => true,
  });
  const flow = memoryFlow();
  const target = await startTargetServer();
  const parts: WorkerFleet = createFleet({
    ...{ redis: liveness, flow: flow.admin, log: quiet },
    processor: () => harness.processor,
    drain: () => undefined,
  });
  const { observer, attendant } = parts;
  const harness: Harness = new Harness(target, {
    ...{ liveness, flow, maxConnections: 2 },
    observers: [observer],
    ...(attendant && { attendant }),
  });
  await expect(parts.fleet.processes()).rejects.toThrow('The worker has not started');
  await harness.processor.start();
  return {
    ...{ harness, fleet: parts.fleet, network },
    async [Symbol.asyncDispose]() {
      await harness[Symbol.asyncDispose]();
      await network[Symbol.asyncDispose]();
    },
  };
}

test('what processes have counted is added up, and outlives them', async () => {
  const taskQueue = randomUUID();
  await using fleet = await openFleet({ redisUrl: redis.url, taskQueue });
  expect((await fleet.statistics()).totals).toMatchObject({ requests: 0, durations: {} });
  {
    await using first = await startMember(taskQueue);
    const { harness } = first;
    await harness.submit('/status/200');
    await harness.submit('/status/404');
    await harness.submit('/status/404', { spec: { raiseErrorResponses: true } });
    await harness.submit('/status/503');
    await harness.submit('', {
      spec: { url: 'http://127.0.0.1:1/refused', retry: { maximumAttempts: 1 } },
    });
    await harness.submit('/status/503', {
      progress: { sent: true, tries: 0, returns: 0 },
      spec: { method: 'POST' },
    });
    await harness.ended(6);
    // Its end stores what it has not yet stored.
  }
  await using second = await startMember(taskQueue);
  await second.harness.submit('/status/200');
  await second.harness.ended(1);
  const { totals, hours, minutes } = await waitFor(async () => {
    const statistics = await second.fleet.statistics();
    return statistics.totals.requests === 6 ? statistics : undefined;
  });
  expect(totals).toMatchObject({
    ...{ requests: 6, errors: 3, retries: 1, statuses: { 200: 2, 404: 2 } },
    errorsByType: { HttpStatusError: 1, ConnectionError: 1, OutcomeUnknownError: 1 },
  });
  expect(totals.capacityReached).toBeGreaterThan(0);
  // The refused connection is one of them; what is unknown had no try here.
  expect(Object.values(totals.durations).reduce((a, b) => a + b)).toBe(5);
  expect(hours.reduce((sum, { requests }) => sum + requests, 0)).toBe(6);
  expect(minutes.reduce((sum, { requests }) => sum + requests, 0)).toBe(6);
  expect(hours[0]!.start % 3_600_000).toBe(0);

  const failures = await fleet.failures();
  expect(failures.map(({ type }) => type).toSorted()).toEqual([
    'ConnectionError',
    'HttpStatusError',
    'OutcomeUnknownError',
  ]);
  expect(failures.map(({ at }) => at)).toEqual(
    failures.map(({ at }) => at).toSorted((a, b) => b - a),
  );
  expect(await fleet.failures(1)).toHaveLength(1);

  await second.harness.submit('/status/200');
  await second.harness.ended(2);
  await fleet.clearStatistics();
  expect((await fleet.statistics()).totals).toMatchObject({ requests: 0, errors: 0 });
  expect(await fleet.failures()).toEqual([]);
  // Nothing is left in Redis that does not go by itself.
  const names = await redis.redis.keys(`patient:{default/${taskQueue}}:*`);
  for (const name of names) expect([name, await redis.redis.pttl(name)]).not.toContain(-1);
});

test('what Redis was away for is added once, whether it heard of it or not', async () => {
  const taskQueue = randomUUID();
  await using fleet = await openFleet({ redisUrl: redis.url, taskQueue });
  await using member = await startMember(taskQueue);
  const { harness, network } = member;
  const requests = async () => (await fleet.statistics()).totals.requests;
  await harness.submit('/status/200?0');
  await harness.ended(1);
  await waitFor(async () => (await requests()) === 1);

  network.cut();
  for (const path of ['/status/200?1', '/status/500?2']) {
    await harness.submit(path, { spec: { retry: { maximumAttempts: 1 } } });
  }
  await harness.ended(3);
  network.restore();
  await waitFor(async () => (await requests()) === 3);

  await harness.submit('/status/200?3');
  network.mute();
  await harness.ended(4);
  // It has arrived, and its answer has not.
  await waitFor(async () => (await requests()) === 4);
  network.restore();
  await harness.submit('/status/200?4');
  await harness.ended(5);
  await waitFor(async () => (await requests()) >= 5);
  expect(await requests()).toBe(5);
});

test('an outcome that another process delivers is counted once, where it was settled', async () => {
  const taskQueue = randomUUID();
  const key = { namespace: 'default', workflowId: randomUUID(), runId: 'run', activityId: '1' };
  await using fleet = await openFleet({ redisUrl: redis.url, taskQueue });
  {
    await using first = await startMember(taskQueue);
    const { harness } = first;
    const accept = harness.handler.hold();
    await harness.submit('/status/200', { key });
    const { ending } = await waitFor(() => harness.handler.endings[0]);
    const { outcome } = ending as Ending & { kind: 'outcome' };
    expect(await harness.liveness.settle(key, outcome)).toBe(true);
    // It ends while Temporal takes nothing.
    await harness.processor.stop({ shutdownTimeout: 0, drainTimeout: 0 });
    accept();
  }
  await using second = await startMember(taskQueue);
  const { harness } = second;
  const attempt = { number: 2, scheduledAt: Date.now(), token: new Uint8Array() };
  await harness.submit('/status/200', { key, attempt });
  await harness.submit('/status/201');
  await harness.ended(2);
  expect(harness.target.hits.map(({ path }) => path)).toEqual(['/status/201']);
  await waitFor(async () => (await fleet.statistics()).totals.statuses[201] === 1);
  expect((await fleet.statistics()).totals).toMatchObject({ requests: 2, statuses: { 200: 1 } });
});
