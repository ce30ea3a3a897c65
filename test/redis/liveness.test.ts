import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Orphan, OwnerEvents } from '../../src/liveness/port.ts';
import { RedisLiveness } from '../../src/liveness/redis.ts';
import type { Attempt } from '../../src/shared/attempt.ts';
import { keyString, type RequestKey } from '../../src/shared/request-key.ts';
import type { Outcome } from '../../src/shared/wire.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';

const TTL = 1_500;
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
  return { number, scheduledAt, token: Buffer.from(`token ${number}/${scheduledAt}`) };
}

const OUTCOME = { kind: 'error', error: { type: 'UnknownError' } } as unknown as Outcome;

test('register → run, attached, stale; release only without a newer attempt', async () => {
  const queue = randomUUID();
  const a = await startOwner(queue);
  const b = await startOwner(queue);
  const first = record(1);
  const { key } = first;
  const id = keyString(key);
  expect(await a.liveness.register(first)).toEqual({ answer: 'run', cancelRequested: false });

  const second = record(2, 2000, key);
  expect(await b.liveness.register(second)).toEqual({ answer: 'attached' });
  await waitFor(() => a.events.attached.mock.calls.length === 1);
  expect(a.events.attached).toHaveBeenCalledWith(id, second.attempt);
  expect(await b.liveness.whereabouts(key)).toEqual({ owner: 'other' });
  expect(await a.liveness.whereabouts(key)).toEqual({ owner: 'self', attempt: second.attempt });

  expect(await b.liveness.register(record(1, 1000, key))).toEqual({ answer: 'stale' });
  // An activity reset starts attempts again at 1, later.
  expect(await b.liveness.register(record(1, 3000, key))).toEqual({ answer: 'attached' });

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
  await a.liveness.register(running);
  await b.liveness.cancel(running.key);
  await waitFor(() => a.events.cancelled.mock.calls.length === 1);
  expect(a.events.cancelled).toHaveBeenCalledWith(keyString(running.key));

  const later = record();
  await b.liveness.cancel(later.key);
  expect(await a.liveness.register(later)).toEqual({ answer: 'run', cancelRequested: true });
  await a.stop();
  await b.stop();
});

test('a survivor takes over what an expired lease held, outcomes included', async () => {
  const queue = randomUUID();
  const survivor = await startOwner(queue);
  const dead = await startOwner(queue);
  const running = record(3);
  const settled = record(1);
  await dead.liveness.register(running);
  await dead.liveness.register(settled);
  expect(await dead.liveness.settle(settled.key, OUTCOME)).toBe(true);
  dead.network.cut();

  await waitFor(() => survivor.orphans.length === 2, { timeout: TTL * 3 });
  expect(survivor.orphans).toEqual(
    expect.arrayContaining([
      { key: running.key, attempt: running.attempt, outcome: undefined },
      { key: settled.key, attempt: settled.attempt, outcome: OUTCOME },
    ]),
  );
  // The outcome was delivered, so its record is gone; the other waits for its next attempt.
  await waitFor(async () => (await survivor.liveness.whereabouts(settled.key)).owner === 'nobody');
  const request = `patient:{default/${queue}}:request:${keyString(running.key)}`;
  await waitFor(async () => (await server.redis.pttl(request)) > 0);
  expect(await survivor.liveness.register(record(4, 9000, running.key))).toEqual({
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
  await dead.liveness.register(settled);
  await dead.liveness.settle(settled.key, OUTCOME);
  dead.network.cut();
  // The attempt starts before anybody found the orphan: nobody owns it once the lease is over.
  await waitFor(async () => {
    const answer = await survivor.liveness.register(record(2, 2000, settled.key));
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
  await a.liveness.register(running);
  await server.redis.flushall();
  await waitFor(async () => (await a.liveness.whereabouts(running.key)).owner === 'self');
  expect(await b.liveness.register(record(2, 2000, running.key))).toEqual({ answer: 'attached' });
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
  await a.liveness.register(before);
  await server.kill();
  const during = record();
  expect(await a.liveness.register(during)).toEqual({ answer: 'run', cancelRequested: false });
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
  await a.liveness.register(running);
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

test('a process that was taken for dead learns that its requests are another’s', async () => {
  const queue = randomUUID();
  const survivor = await startOwner(queue);
  const stalled = await startOwner(queue);
  const running = record();
  await stalled.liveness.register(running);
  // As for a stalled process: its lease runs out, and it learns of that when it is back.
  stalled.network.cut();
  await waitFor(() => survivor.orphans.length === 1);
  stalled.network.restore();
  await waitFor(() => stalled.events.lost.mock.calls.length === 1);
  expect(stalled.events.lost).toHaveBeenCalledWith(keyString(running.key));
  await survivor.stop();
  await stalled.stop();
});

test('a wrong address or password is one clear error, without the password', async () => {
  const open = (url: string) =>
    new RedisLiveness({
      url,
      namespace: 'default',
      taskQueue: 'q',
      leaseTtl: TTL,
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
