import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFleet } from '../../src/fleet/open.ts';
import type { Fleet } from '../../src/fleet/port.ts';
import { flowKeysOf, type FlowKeys } from '../../src/flow/redis-keys.ts';
import { keysOf } from '../../src/liveness/redis-keys.ts';
import { createDashboard } from '../../src/web/dashboard.tsx';
import { quietLogger } from '../support/environment.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';

const KEYS = 10_000;

let server: RedisServer;
let fleet: Fleet & AsyncDisposable;
let names: FlowKeys;

/** A key per tenant, as a day of traffic leaves them; `tenant-0` was used last. */
beforeAll(async () => {
  server = await startRedis();
  const { redis } = server;
  const taskQueue = randomUUID();
  const keys = keysOf('default', taskQueue);
  names = flowKeysOf(keys.prefix);
  const now = Date.now();
  const pipeline = redis.pipeline();
  pipeline.zadd(keys.leases, now + 600_000, 'alive', now - 1, 'dead');
  for (let i = 0; i < KEYS; i++) {
    const key = `tenant-${i}`;
    pipeline.zadd(names.index, now - i, key);
    const limits = JSON.stringify({ rate: 10, period: 60_000 });
    const state = { tat: now - 1, cool: 0, last: 0, failures: i % 3, limits, stated: now };
    pipeline.hset(names.state(key), state);
    pipeline.hset(names.held(key), 'alive', 2, 'dead', 5);
  }
  await pipeline.exec();
  fleet = await openFleet({ redisUrl: server.url, taskQueue });
});

afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

/** Of scripts, since the last look. */
async function scripts(): Promise<{ calls: number; usec: number }> {
  const info = await server.redis.info('commandstats');
  await server.redis.config('RESETSTAT');
  const [calls, usec] = [...info.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+),usec=(\d+)/g)].reduce(
    ([sum, time], [, count, took]) => [sum + Number(count), time + Number(took)],
    [0, 0],
  );
  return { calls, usec };
}

test('of 10,000 keys a page is read, in few scripts that are short', async () => {
  await fleet.flow.list();
  await scripts();
  const page = await fleet.flow.list();
  const { calls, usec } = await scripts();
  expect(calls).toBe(40);
  // ms
  expect(usec / calls / 1_000).toBeLessThan(5);
  expect(page).toMatchObject({ matched: KEYS, total: KEYS });
  expect(page.rows).toHaveLength(100);
  expect(page.rows.map(({ key }) => key)).toContain('tenant-99');
  expect(page.rows[0]).toEqual({
    ...{ key: 'tenant-0', paused: false, override: {}, limits: { rate: 10, period: 60_000 } },
    ...{ inFlight: 2, nextIn: 0, coolFor: 0, failures: 0 },
  });
});

test('what is held up comes first, wherever it is', async () => {
  const { redis } = server;
  const { flow } = fleet;
  await redis.hset(names.state('tenant-9000'), 'cool', Date.now() + 60_000);
  await redis.zadd(names.waiting('tenant-5000'), Date.now(), 'alive');
  await flow.pause('tenant-7000');
  await flow.set('tenant-8000', { concurrency: 1 });
  // Something is set for it, and nobody has used it for longer than a day.
  await flow.pause('unused');
  await redis.zrem(names.index, 'unused');
  const { rows, matched, total } = await flow.list({ limit: 5, first: ['tenant-6000', 'nobody'] });
  expect(rows.map(({ key }) => key)).toEqual([
    ...['tenant-7000', 'unused', 'tenant-9000', 'tenant-5000', 'tenant-6000'],
  ]);
  expect([matched, total]).toEqual([KEYS + 1, KEYS + 1]);
  expect((await flow.show('tenant-9000')).coolFor).toBeGreaterThan(50_000);
  expect((await flow.list({ limit: 50 })).rows).toHaveLength(50);

  const found = await flow.list({ text: 'Tenant-99', limit: 4 });
  expect(found).toMatchObject({ matched: 111, total: KEYS + 1 });
  expect(found.rows).toHaveLength(4);
  expect((await flow.list({ text: 'unus' })).rows).toMatchObject([{ key: 'unused', paused: true }]);
});

test('pages of the dashboard show some, and say how many there are', async () => {
  const { flow } = fleet;
  const paused = Array.from({ length: 30 }, (_, index) => `tenant-${100 + index}`);
  await Promise.all(paused.map((key) => flow.pause(key)));
  const app = createDashboard({
    ...{ fleet, namespace: 'default', taskQueue: 'tenants', temporalUi: undefined },
    ...{ credentials: undefined, log: quietLogger },
    temporal: { batches: async () => [], redrive: async () => '', ping: async () => undefined },
  });
  const pageOf = async (path: string) =>
    (await app.request(path, { headers: { host: 'localhost' } })).text();
  const page = await pageOf('/flow');
  expect(page).toContain('50 of 10,001 shown; 10,001 in all.');
  expect(page.split('<tr id=')).toHaveLength(51);
  expect(page.length).toBeLessThan(60_000);
  expect(await pageOf('/flow?text=tenant-4321')).toContain('1 of 1 shown; 10,001 in all.');
  const overview = await pageOf('/');
  expect(overview.split(' is paused. Its requests wait.')).toHaveLength(11);
  expect(overview).toContain('More flow keys are paused or cooling down.');
});
