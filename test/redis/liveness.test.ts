import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Orphan, OutcomeSeal, OwnerEvents } from '../../src/liveness/port.ts';
import { RedisLiveness } from '../../src/liveness/redis.ts';
import type { Attempt } from '../../src/shared/attempt.ts';
import { keyString, type RequestKey } from '../../src/shared/request-key.ts';
import type { Outcome } from '../../src/shared/wire.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';

const TTL = 1_500;
/** Nothing of an outcome may be in Redis but what the seal makes of it. */
const seal: OutcomeSeal = {
  seal: async (key, outcome) => `sealed ${key.workflowId} ${JSON.stringify(outcome)}`,
  open: async (key, sealed) => JSON.parse(sealed.slice(`sealed ${key.workflowId} `.length)),
};
const quiet = { debug() {}, info() {}, warn() {}, error() {} };

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis({ persistent: true });
});
afterAll(() => server?.[Symbol.asyncDispose]());

/** A process as the store sees it, with a network of its own to lose. */
async function startOwner(taskQueue: string) {
  const network = await startTcpProxy(server.port);
  const orphans: Orphan[] = [];
  const events = {
    attached: vi.fn<OwnerEvents['attached']>(),
    cancelled: vi.fn<OwnerEvents['cancelled']>(),
    lost: vi.fn<OwnerEvents['lost']>(),
    describe: () => ({}),
  };
  const liveness = new RedisLiveness({
    url: `redis://127.0.0.1:${network.port}`,
    namespace: 'default',
    taskQueue,
    leaseTtl: TTL,
    seal,
    releaseOrphan: async (orphan) => {
      orphans.push(orphan);
      return orphan.outcome !== undefined;
    },
    log: quiet,
  });
  await liveness.start(events);
  const stop = async (): Promise<void> => {
    await liveness.stop();
    await network[Symbol.asyncDispose]();
  };
  return { liveness, events, orphans, network, stop };
}

function record(attempt = 1, scheduledAt = attempt * 1000, key = newKey()) {
  return { key, attempt: makeAttempt(attempt, scheduledAt), method: 'GET', host: 'h', path: '/' };
}

function newKey(): RequestKey {
  return { namespace: 'default', workflowId: randomUUID(), runId: 'r', activityId: '"}{ü' };
}

function makeAttempt(number: number, scheduledAt: number): Attempt {
  const token = Buffer.from(`token ${number}/${scheduledAt}`);
  return { number, scheduledAt, token, progress: {} };
}

/** As a claim gives it: whoever fails an attempt needs no more. */
function claimed({ number, scheduledAt, token }: Attempt): Attempt {
  return { number, scheduledAt, token };
}

/** The one process of a queue. */
async function ownerOf(queue: string): Promise<string> {
  const [owner] = await server.redis.zrange(`patient:{default/${queue}}:leases`, '0', '0');
  return owner!;
}

const OUTCOME = { kind: 'error', error: { type: 'UnknownError' } } as unknown as Outcome;

test('register → run, attached, stale; release only without a newer attempt', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  const b = await startOwner(queue);
  const first = record(1);
  const { key } = first;
  const id = keyString(key);
  expect(await a.liveness.register(first, false)).toEqual({
    answer: 'run',
    cancelRequested: false,
  });

  const second = record(2, 2000, key);
  expect(await b.liveness.register(second, false)).toEqual({ answer: 'attached' });
  await waitFor(() => a.events.attached.mock.calls.length === 1);
  expect(a.events.attached).toHaveBeenCalledWith(id, second.attempt);
  expect(await b.liveness.whereabouts(key)).toEqual({ owner: 'other' });
  expect(await a.liveness.whereabouts(key)).toEqual({ owner: 'self', attempt: second.attempt });

  expect(await b.liveness.register(record(1, 1000, key), false)).toEqual({ answer: 'stale' });
  // An activity reset starts attempts again at 1, later.
  expect(await b.liveness.register(record(1, 3000, key), false)).toEqual({ answer: 'attached' });

  expect(await a.liveness.release(key, second.attempt)).toBe(false);
  expect(await a.liveness.release(key, makeAttempt(1, 3000))).toBe(true);
  expect(await b.liveness.whereabouts(key)).toEqual({ owner: 'nobody', attempt: undefined });
  await a.stop();
  await b.stop();
  expect(await server.redis.keys(`patient:{default/${queue}}:*`)).toEqual([]);
});

test('a cancel reaches the owner at once, or the next register', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  const b = await startOwner(queue);
  const running = record();
  await a.liveness.register(running, false);
  await b.liveness.cancel(running.key);
  await waitFor(() => a.events.cancelled.mock.calls.length === 1);
  expect(a.events.cancelled).toHaveBeenCalledWith(keyString(running.key));

  const later = record();
  await b.liveness.cancel(later.key);
  expect(await a.liveness.register(later, false)).toEqual({ answer: 'run', cancelRequested: true });
  await a.stop();
  await b.stop();
});

test('a survivor takes over what an expired lease held, outcomes included', async () => {
  const queue = randomUUID();
  const survivor = await startOwner(queue);
  const dead = await startOwner(queue);
  const running = record(3);
  const settled = record(1);
  await dead.liveness.register(running, false);
  await dead.liveness.register(settled, false);
  expect(await dead.liveness.settle(settled.key, OUTCOME)).toBe(true);
  dead.network.cut();

  await waitFor(() => survivor.orphans.length === 2, { timeout: TTL * 3 });
  expect(survivor.orphans).toEqual(
    expect.arrayContaining([
      { key: running.key, attempt: claimed(running.attempt), outcome: undefined },
      { key: settled.key, attempt: claimed(settled.attempt), outcome: OUTCOME },
    ]),
  );
  // The outcome was delivered, so its record is gone; the other waits for its next attempt.
  await waitFor(async () => (await survivor.liveness.whereabouts(settled.key)).owner === 'nobody');
  const request = `patient:{default/${queue}}:request:${keyString(running.key)}`;
  await waitFor(async () => (await server.redis.pttl(request)) > 0);
  expect(await survivor.liveness.register(record(4, 9000, running.key), false)).toEqual({
    answer: 'run',
    cancelRequested: false,
  });
  await survivor.stop();
  await dead.stop();
});

test('an outcome that could not be delivered answers the next attempt', async () => {
  const queue = randomUUID();
  const survivor = await startOwner(queue);
  const dead = await startOwner(queue);
  const settled = record(1);
  await dead.liveness.register(settled, false);
  await dead.liveness.settle(settled.key, OUTCOME);
  dead.network.cut();
  // The attempt starts before anybody found the orphan: nobody owns it once the lease is over.
  await waitFor(async () => {
    const answer = await survivor.liveness.register(record(2, 2000, settled.key), false);
    return answer.answer === 'kept' && answer.outcome;
  });
  await survivor.stop();
  await dead.stop();
});

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

test('a half-open connection is noticed within the lease', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  const running = record();
  await a.liveness.register(running, false);
  a.network.freeze();
  await waitFor(async () => (await a.liveness.whereabouts(running.key)).owner === 'unknown', {
    timeout: TTL,
  });
  a.network.restore();
  await waitFor(async () => (await a.liveness.whereabouts(running.key)).owner === 'self', {
    timeout: TTL * 2,
  });
  await a.stop();
});

test('a half-open connection for messages is noticed though commands go through', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  const b = await startOwner(queue);
  const running = record();
  await a.liveness.register(running, false);
  a.network.freezeThose('subscribe');
  await waitFor(
    async () => {
      await b.liveness.cancel(running.key);
      return a.events.cancelled.mock.calls.length > 0;
    },
    { timeout: TTL * 4, interval: 100 },
  );
  await a.stop();
  await b.stop();
});

test('a process that was taken for dead takes its orphans back', async () => {
  const queue = randomUUID();
  const survivor = await startOwner(queue);
  const stalled = await startOwner(queue);
  const running = record();
  await stalled.liveness.register(running, false);
  // As for a stalled process: its lease runs out, and it learns of that when it is back.
  stalled.network.cut();
  await waitFor(() => survivor.orphans.length === 1);
  stalled.network.restore();
  await waitFor(async () => (await stalled.liveness.whereabouts(running.key)).owner === 'self');
  // The attempt that follows the failed one finds the request with its old owner.
  const next = record(2, 2000, running.key);
  expect(await survivor.liveness.register(next, true)).toEqual({ answer: 'attached' });
  await waitFor(() => stalled.events.attached.mock.calls.length === 1);
  expect(stalled.events.lost).not.toHaveBeenCalled();
  await survivor.stop();
  await stalled.stop();
});

test('a process that was taken for dead learns which of its requests run elsewhere', async () => {
  const queue = randomUUID();
  const survivor = await startOwner(queue);
  const stalled = await startOwner(queue);
  const running = record();
  await stalled.liveness.register(running, false);
  stalled.network.cut();
  await waitFor(() => survivor.orphans.length === 1);
  const next = record(2, 2000, running.key);
  expect(await survivor.liveness.register(next, true)).toMatchObject({ answer: 'run' });
  expect(await survivor.liveness.settle(running.key, OUTCOME)).toBe(true);
  stalled.network.restore();
  await waitFor(() => stalled.events.lost.mock.calls.length === 1);
  expect(stalled.events.lost).toHaveBeenCalledWith(keyString(running.key));
  expect(await stalled.liveness.settle(running.key, OUTCOME)).toBe(false);
  await survivor.stop();
  await stalled.stop();
});

test('an outcome that arrives after its request was orphaned answers the next attempt', async () => {
  const queue = randomUUID();
  const survivor = await startOwner(queue);
  const stalled = await startOwner(queue);
  const running = record();
  await stalled.liveness.register(running, false);
  const request = `patient:{default/${queue}}:request:${keyString(running.key)}`;
  stalled.network.freeze();
  await waitFor(() => survivor.orphans.length === 1);
  await waitFor(async () => (await server.redis.hget(request, 'owner')) === null);
  stalled.network.restore();
  // Possibly before the next renewal has told it that it was taken for dead.
  await waitFor(() => stalled.liveness.settle(running.key, OUTCOME));
  await stalled.stop();
  const next = record(2, 2000, running.key);
  const kept = { answer: 'kept', outcome: OUTCOME };
  expect(await survivor.liveness.register(next, true)).toEqual(kept);
  await survivor.stop();
});

test('orphans whose claim was answered into a broken connection are not forgotten', async () => {
  const queue = randomUUID();
  const survivor = await startOwner(queue);
  const { key, attempt } = record();
  // What the claim leaves behind when nobody hears its answer.
  const owner = await ownerOf(queue);
  const id = keyString(key);
  const prefix = `patient:{default/${queue}}:`;
  const { number, scheduledAt: scheduled } = attempt;
  const token = Buffer.from(attempt.token).toString('base64');
  const outcome = await seal.seal(key, OUTCOME);
  await server.redis
    .multi()
    .hset(`${prefix}request:${id}`, { owner, state: 'orphaned', number, scheduled, token, outcome })
    .sadd(`${prefix}records:${owner}`, id)
    .exec();
  await waitFor(() => survivor.orphans.length === 1);
  expect(survivor.orphans).toEqual([{ key, attempt: claimed(attempt), outcome: OUTCOME }]);
  await waitFor(async () => (await server.redis.exists(`${prefix}request:${id}`)) === 0);
  await survivor.stop();
});

test('an attempt that is attached to a request nobody knows of any more goes back', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  const owner = await ownerOf(queue);
  const b = await startOwner(queue);
  const next = record(2, 2000);
  // As it is when the end of a request was not heard by Redis.
  const request = `patient:{default/${queue}}:request:${keyString(next.key)}`;
  await server.redis.hset(request, { owner, state: 'running', number: 1, scheduled: 1000 });
  expect(await b.liveness.register(next, false)).toEqual({ answer: 'attached' });
  await waitFor(() => a.orphans.length === 1);
  expect(a.orphans).toEqual([
    { key: next.key, attempt: claimed(next.attempt), outcome: undefined },
  ]);
  expect(a.events.attached).not.toHaveBeenCalled();
  await a.stop();
  await b.stop();
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

test('an attempt that goes to another process ends the task of an earlier one here', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  const b = await startOwner(queue);
  const first = record();
  await a.liveness.register(first, false);
  a.network.cut();
  await waitFor(() => b.orphans.length === 1);
  await b.liveness.register(record(2, 2000, first.key), true);
  a.network.restore();
  // Before or after its renewal has told it.
  await waitFor(async () => (await a.liveness.whereabouts(first.key)).owner === 'other');
  const third = await a.liveness.register(record(3, 3000, first.key), true);
  expect(third).toEqual({ answer: 'attached' });
  expect(a.events.lost).toHaveBeenCalledWith(keyString(first.key));
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
    await liveness.start({ attached() {}, cancelled() {}, lost, describe: () => ({}) });
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
