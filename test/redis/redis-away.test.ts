import { randomUUID } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { openFleet } from '../../src/fleet/open.ts';
import type { Orphan, OwnerEvents } from '../../src/liveness/port.ts';
import { RedisLiveness } from '../../src/liveness/redis.ts';
import { keyString } from '../../src/shared/request-key.ts';
import { startRedis } from '../support/redis.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';
import {
  OUTCOME,
  TTL,
  ownerOf,
  ownerOn,
  quiet,
  record,
  seal,
  server,
  startOwner,
} from './owner.ts';

test('a flush is noticed, and the records of the living come back', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  const b = await startOwner(queue);
  const running = record();
  await a.liveness.register(running, false);
  await server.redis.flushall();
  await waitFor(async () => (await a.liveness.whereabouts(running.key)).owner === 'self');
  expect(await b.liveness.register(record(2, 2000, running.key), false)).toEqual({
    answer: 'attached',
  });
  expect(a.events.lost).not.toHaveBeenCalled();
  expect(b.orphans).toEqual([]);
  await a.stop();
  await b.stop();
});

test('an outage degrades: requests run, nobody is taken for dead, records are replayed', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  const b = await startOwner(queue);
  const before = record();
  await a.liveness.register(before, false);
  await server.kill();
  const during = record();
  expect(await a.liveness.register(during, false)).toEqual({
    answer: 'run',
    cancelRequested: false,
  });
  expect(await a.liveness.settle(during.key, OUTCOME)).toBe(false);
  expect(await a.liveness.release(before.key, before.attempt)).toBe(true);
  expect(await b.liveness.whereabouts(during.key)).toEqual({ owner: 'unknown' });
  // Longer than the lease: on its return every lease in the file has expired.
  await new Promise((resolve) => setTimeout(resolve, TTL * 1.5));
  await server.restart();
  await waitFor(async () => (await b.liveness.whereabouts(during.key)).owner === 'other');
  await waitFor(async () => (await b.liveness.whereabouts(before.key)).owner === 'nobody');
  expect(a.events.lost).not.toHaveBeenCalled();
  expect(b.orphans).toEqual([]);
  await a.stop();
  await b.stop();
});

test('a half-open connection is noticed by the silence of a lease', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  const running = record();
  await a.liveness.register(running, false);
  a.network.freeze();
  await waitFor(async () => (await a.liveness.whereabouts(running.key)).owner === 'unknown');
  a.network.restore();
  await waitFor(async () => (await a.liveness.whereabouts(running.key)).owner === 'self');
  await a.stop();
});

test('a cancel that a half-open connection for messages has swallowed arrives, once', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  await using fleet = await openFleet({ redisUrl: server.url, taskQueue: queue });
  const running = record();
  const item = { ...running.key, index: 1 };
  await a.liveness.register(running, false);
  a.network.freezeThose('subscribe');
  // Redis takes the owner for a listener.
  expect(await fleet.cancel(running.key)).toBe('told');
  expect(await fleet.cancel(item)).toBe('told');
  const told = () => a.events.cancelled.mock.calls.map(([id]) => id);
  await waitFor(() => told().length === 2);
  expect(told().sort()).toEqual([keyString(running.key), keyString(item)].sort());
  // Once: it is not in the mail of the next renewals.
  await waitFor(async () => (await server.redis.keys('*cancels:*')).length === 0);
  await a.stop();
});

test('cancels of a time without Redis arrive when it is back, those of items too', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  await using fleet = await openFleet({ redisUrl: server.url, taskQueue: queue });
  const running = record();
  await a.liveness.register(running, false);
  a.network.cut();
  await expect.poll(() => fleet.cancel({ ...running.key, index: 1 })).toBe('flagged');
  a.network.restore();
  await waitFor(() => a.events.cancelled.mock.calls.length > 0);
  expect(a.events.cancelled).toHaveBeenCalledWith(
    keyString({ ...running.key, index: 1 }),
    'operator',
  );
  await a.stop();
});

test('a half-open connection for messages is noticed though commands go through', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  a.network.freezeThose('subscribe');
  const heard = async (): Promise<boolean> => {
    await server.redis.publish(
      `patient:{default/${queue}}:owner:${a.liveness.owner}`,
      JSON.stringify(['cancelled', 'a', 'operator']),
    );
    return a.events.cancelled.mock.calls.length > 0;
  };
  await waitFor(heard, { interval: 100 });
  await a.stop();
});

test('a silence during a start is tried again, twice; a refusal is not', async () => {
  await using network = await startTcpProxy(server.port);
  const queue = randomUUID();
  const { liveness, events } = ownerOn(network, queue);
  network.freezeNext('evalsha', 2);
  await liveness.start(events);
  expect(await liveness.register(record(), false)).toMatchObject({ answer: 'run' });
  expect(await ownerOf(queue)).toBe(liveness.owner);
  await liveness.stop();

  const silent = ownerOn(network, queue);
  network.freezeNext('subscribe', 3);
  await expect(silent.liveness.start(silent.events)).rejects.toThrow(/redisUrl: .*timed out/);

  await using refusing = await startRedis();
  await refusing.redis.call('ACL', 'SETUSER', 'default', '-evalsha', '-eval');
  const refused = ownerOn(refusing, queue);
  const connections = async (): Promise<number> =>
    Number((await refusing.redis.info('stats')).match(/total_connections_received:(\d+)/)![1]);
  const before = await connections();
  await expect(refused.liveness.start(refused.events)).rejects.toThrow(/redisUrl: .*NOPERM/);
  expect((await connections()) - before).toBe(2);
});

test('an exclusive attempt does not run on the silence of Redis; others do', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  const b = await startOwner(queue);
  const running = record();
  await a.liveness.register(running, false);
  b.network.freeze();
  const next = b.liveness.register(record(2, 2000, running.key), true);
  const other = b.liveness.register(record(), false);
  await expect(next).rejects.toThrow(/the next attempt tells whose/);
  expect(await other).toEqual({ answer: 'run', cancelRequested: false });
  b.network.restore();
  await waitFor(async () => (await b.liveness.whereabouts(running.key)).owner === 'other');
  const third = record(3, 3000, running.key);
  expect(await b.liveness.register(third, true)).toEqual({ answer: 'attached' });
  await a.stop();
  await b.stop();
});

test('a Redis that refuses to write degrades: nothing hangs, nobody is taken for dead', async () => {
  await using full = await startRedis();
  const queue = randomUUID();
  const warnings: string[] = [];
  const log = { ...quiet, warn: (message: string) => void warnings.push(message) };
  const options = { url: full.url, namespace: 'default', taskQueue: queue, leaseTtl: TTL, seal };
  const orphans: Orphan[] = [];
  const start = async () => {
    const liveness = new RedisLiveness({
      ...options,
      releaseOrphan: async (orphan) => (orphans.push(orphan), false),
      log,
    });
    const lost = vi.fn<OwnerEvents['lost']>();
    await liveness.start({
      attached() {},
      cancelled() {},
      lost,
      returned() {},
      describe: () => ({}),
    });
    return { liveness, lost };
  };
  const a = await start();
  const b = await start();
  await a.liveness.register(record(), false);
  const before = Number(
    (await full.redis.info('stats')).match(/total_connections_received:(\d+)/)![1],
  );
  await full.redis.config('SET', 'maxmemory', '1');
  await expect(b.liveness.register(record(2), true)).resolves.toMatchObject({ answer: 'run' });
  // Longer than a lease: nobody could renew, and nobody says that others are dead.
  const leases = `patient:{default/${queue}}:leases`;
  const expired = async (): Promise<boolean> => {
    const [, expiry] = await full.redis.zrange(leases, '0', '0', 'WITHSCORES');
    const [seconds] = await full.redis.time();
    return Number(seconds) * 1000 > Number(expiry) + TTL;
  };
  await waitFor(expired);
  expect(orphans).toEqual([]);
  await full.redis.config('SET', 'maxmemory', '0');
  await waitFor(async () => !(await expired()));
  expect(orphans).toEqual([]);
  expect([a.lost, b.lost].flatMap((fn) => fn.mock.calls)).toEqual([]);
  const after = Number(
    (await full.redis.info('stats')).match(/total_connections_received:(\d+)/)![1],
  );
  expect(after - before).toBeLessThan(5);
  expect(warnings.length).toBeLessThanOrEqual(2);
  await a.liveness.stop();
  await b.liveness.stop();
});

test('a wrong address or password is one clear error, without the password', async () => {
  const open = (url: string) =>
    new RedisLiveness({
      url,
      namespace: 'default',
      taskQueue: 'q',
      leaseTtl: TTL,
      seal,
      releaseOrphan: async () => false,
      log: quiet,
    }).start({} as OwnerEvents);
  await expect(open('redis://127.0.0.1:1')).rejects.toThrow(
    /redisUrl: no usable Redis at redis:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/,
  );
  await using secured = await startRedis({ password: 'right' });
  const wrong = secured.url.replace('right', 'wr0ng');
  await expect(open(wrong)).rejects.toThrow(/redisUrl: no usable Redis at .*WRONGPASS/);
  await expect(open(wrong)).rejects.not.toThrow(/wr0ng/);
});

test('after a flush the owner of the newer attempt keeps the request, whoever is back first', async () => {
  const queue = randomUUID();
  const older = await startOwner(queue);
  const newer = await startOwner(queue);
  const first = record(1);
  const second = record(2, 2000, first.key);
  await older.liveness.register(first, false);
  older.network.cut();
  // Attempt 2 runs once nobody answers for attempt 1.
  await waitFor(async () => (await newer.liveness.register(second, false)).answer === 'run');
  newer.network.cut();
  await server.redis.flushall();
  older.network.restore();
  await waitFor(async () => (await older.liveness.whereabouts(first.key)).owner === 'self');
  newer.network.restore();
  await waitFor(async () => (await newer.liveness.whereabouts(first.key)).owner !== 'unknown');
  await waitFor(
    () => older.events.lost.mock.calls.length + newer.events.lost.mock.calls.length > 0,
  );
  expect(newer.events.lost).not.toHaveBeenCalled();
  expect(older.events.lost).toHaveBeenCalledWith(keyString(first.key));
  await older.stop();
  await newer.stop();
});

test('what the last process leaves behind expires', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  await a.liveness.register(record(), false);
  // With a request in hand, as at the end of a drain that Temporal did not answer.
  await a.stop();
  const keys = await server.redis.keys(`patient:{default/${queue}}:*`);
  expect(keys).not.toEqual([]);
  const eternal = await Promise.all(keys.map(async (key) => (await server.redis.pttl(key)) < 0));
  expect(keys.filter((_, index) => eternal[index])).toEqual([]);
});
