import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Flow } from '../../src/flow/flow.ts';
import type { Permit, Seen } from '../../src/flow/port.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';
import {
  LEASE_TTL,
  memoryFlow,
  OK,
  pass,
  sentAway,
  startAlone,
  startMember,
  type Member,
} from './processes.ts';
import { worstExcess, type Sent } from './windows.ts';

const never = new AbortController().signal;
/** ms: a permit is used within 100 ms of its time; the rest is this machine's. */
const LATENESS = 150;
const busy = (retryAfter: number): Seen => ({ ...OK, status: 429, retryAfter });

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server?.[Symbol.asyncDispose]());

/** The same for one process without Redis and for one with. */
const kinds = [
  ['memory', startAlone],
  ['redis', () => startMember(server, randomUUID())],
] as [string, () => Promise<{ flow: Flow } & AsyncDisposable>][];

describe.each(kinds)('%s', (_, start) => {
  test('what nothing limits costs nothing', async () => {
    await using member = await start();
    expect(member.flow.acquire('host', undefined, never)).toBeUndefined();
  });

  test('a rate is kept in every window, and used', async () => {
    await using member = await start();
    const limits = { rate: 100, period: 1_000 };
    const sent: Sent[] = [];
    const began = performance.now();
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const permit = await pass(member.flow, 'rate', limits);
        sent.push({ at: performance.now() });
        permit.release(OK);
      }),
    );
    expect(worstExcess(sent, limits)).toBeLessThanOrEqual(1 + LATENESS / 10);
    expect(performance.now() - began).toBeGreaterThan(1_980);
  });

  test('concurrency: never more at once, all of it used, in order', async () => {
    await using member = await start();
    let most = 0;
    let now = 0;
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 60 }, async (_each, index) => {
        const permit = await pass(member.flow, 'places', { concurrency: 5 });
        order.push(index);
        most = Math.max(most, ++now);
        await pause(5);
        now--;
        permit.release(OK);
      }),
    );
    expect(most).toBe(5);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  test('a burst goes at once, and then the rate', async () => {
    await using member = await start();
    const limits = { rate: 20, period: 1_000, burst: 10 };
    const began = performance.now();
    for (let i = 0; i < 10; i++) (await pass(member.flow, 'burst', limits)).release(OK);
    const burst = performance.now() - began;
    for (let i = 0; i < 10; i++) (await pass(member.flow, 'burst', limits)).release(OK);
    expect(performance.now() - began).toBeGreaterThan(480);
    expect(burst).toBeLessThan(480);
  });

  test('a cost takes as much; what was really used is settled', async () => {
    await using member = await start();
    const limits = { rate: 1_000, period: 1_000, burst: 100 };
    const first = await pass(member.flow, 'tokens', limits, { cost: 100, pointer: '/usage/total' });
    first.release({ ...OK, body: JSON.stringify({ usage: { total: 500 } }) });
    const began = performance.now();
    await pass(member.flow, 'tokens', limits, { cost: 100 });
    // 400 units more than expected: 400 ms, and 100 for its own cost.
    expect(performance.now() - began).toBeGreaterThan(400);
  });

  test('what an estimate had too much comes back', async () => {
    await using member = await start();
    const limits = { rate: 100, period: 1_000, burst: 100 };
    const first = await pass(member.flow, 'refund', limits, { cost: 100, pointer: '/total' });
    first.release({ ...OK, body: '{"total":0}' });
    const began = performance.now();
    await pass(member.flow, 'refund', limits, { cost: 100 });
    expect(performance.now() - began).toBeLessThan(900);
  });

  test('one that gives up leaves no trace', async () => {
    await using member = await start();
    const limits = { concurrency: 1 };
    const held = await pass(member.flow, 'abort', limits);
    const controller = new AbortController();
    const waiting = pass(member.flow, 'abort', limits, { signal: controller.signal });
    const next = pass(member.flow, 'abort', limits);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    held.release(OK);
    (await next).release(OK);
    await expect.poll(async () => (await member.flow.admin.show('abort')).inFlight).toBe(0);
  });

  test('Retry-After: nothing goes until it is over, and then slowly', async () => {
    await using member = await start();
    const limits = { concurrency: 8 };
    const first = await pass(member.flow, 'cool', limits);
    const began = performance.now();
    first.release(busy(700));
    let now = 0;
    let most = 0;
    const times: number[] = [];
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        const permit = await pass(member.flow, 'cool', limits);
        times.push(performance.now() - began);
        most = Math.max(most, ++now);
        await pause(50);
        now--;
        permit.release(OK);
      }),
    );
    expect(Math.min(...times)).toBeGreaterThan(690);
    // One at a time in the first second, two in the next.
    expect(most).toBeLessThanOrEqual(2);
  });

  test('a breaker opens, lets one through, and closes when that one succeeds', async () => {
    await using member = await start();
    const limits = { concurrency: 8, breaker: { failures: 3, openFor: 400 } };
    const three = await Promise.all([1, 2, 3].map(() => pass(member.flow, 'breaker', limits)));
    const began = performance.now();
    for (const permit of three) permit.release('failed');
    const passed: Permit[] = [];
    const all = Promise.all(
      [1, 2, 3].map(async () => {
        const permit = await pass(member.flow, 'breaker', limits);
        passed.push(permit);
        return permit;
      }),
    );
    await waitFor(() => passed.length > 0);
    expect(performance.now() - began).toBeGreaterThan(390);
    expect(await member.flow.admin.show('breaker')).toMatchObject({ failures: 3, inFlight: 1 });
    passed[0]!.release('failed');
    await waitFor(() => passed.length > 1);
    expect(performance.now() - began).toBeGreaterThan(780);
    passed[1]!.release(OK);
    for (const permit of await all) permit.release(OK);
    await expect
      .poll(() => member.flow.admin.show('breaker'))
      .toMatchObject({ failures: 0, inFlight: 0 });
  });

  test('pause, resume, set and clear at run time', async () => {
    await using member = await start();
    const { admin } = member.flow;
    await admin.pause('host');
    let waiting: Promise<unknown> | undefined;
    let through = false;
    await waitFor(() => {
      waiting = member.flow.acquire('host', undefined, never)?.then((turn) => {
        through = true;
        return turn;
      });
      return waiting !== undefined;
    });
    await expect.poll(() => admin.show('host')).toMatchObject({ paused: true });
    expect(through).toBe(false);
    await admin.resume('host');
    ((await waiting) as Permit).release(OK);
    await admin.set('host', { concurrency: 1 });
    await admin.set('host', { rate: 5, period: 1_000 });
    expect(await admin.show('host')).toMatchObject({
      paused: false,
      override: { concurrency: 1, rate: 5, period: 1_000 },
    });
    await admin.set('host', undefined);
    await waitFor(() => member.flow.acquire('host', undefined, never) === undefined);
    expect((await admin.list()).map(({ key }) => key)).toEqual(['host']);
  });

  test('long waits are sent away: a crowd, a slow rate, a long cool-down', async () => {
    await using member = await start();
    const { flow } = member;
    const minute = {
      key: 'slow',
      limits: { rate: 1, period: 20_000 },
      cost: 1,
      pointer: undefined,
    };
    (await pass(flow, 'slow', minute.limits)).release(OK);
    const controller = new AbortController();
    const waiting = [1, 2, 3].map(() => flow.acquire('host', minute, controller.signal)!);
    const later = await sentAway(flow.acquire('host', minute, never));
    expect(later).toBeGreaterThan(60_000);
    controller.abort(new Error('enough'));
    expect((await Promise.allSettled(waiting)).every((each) => each.status === 'rejected')).toBe(
      true,
    );

    const cool = { key: 'away', limits: { concurrency: 1 }, cost: 1, pointer: undefined };
    const held = await pass(flow, 'away', cool.limits);
    const queued = flow.acquire('host', cool, never);
    held.release(busy(300_000));
    expect(await sentAway(queued)).toBeGreaterThan(290_000);
    expect(await sentAway(flow.acquire('host', cool, never))).toBeGreaterThan(290_000);
  });
});

test('maxWaiting: no more than that wait here; another key has its share of it', async () => {
  const flow = memoryFlow({ maxWaiting: 4 });
  const ask = (key: string) =>
    flow.acquire(
      'host',
      { key, limits: { concurrency: 1 }, cost: 1, pointer: undefined },
      controller.signal,
    )!;
  const controller = new AbortController();
  await Promise.all([ask('a'), ask('b')]);
  const waiting = [1, 2, 3, 4].map(() => ask('a'));
  expect(await sentAway(ask('a'))).toBeGreaterThanOrEqual(5_000);
  waiting.push(ask('b'));
  controller.abort(new Error('enough'));
  for (const each of waiting) await expect(each).rejects.toThrow('enough');
});

async function members(count: number, queue: string): Promise<Member[] & AsyncDisposable> {
  const all = await Promise.all(Array.from({ length: count }, () => startMember(server, queue)));
  return Object.assign(all, {
    async [Symbol.asyncDispose]() {
      for (const member of all) await member[Symbol.asyncDispose]();
    },
  });
}

test('four processes share a rate, and waste none of it', async () => {
  await using all = await members(4, randomUUID());
  const limits = { rate: 200, period: 1_000 };
  const sent: Sent[] = [];
  await Promise.all(
    all.flatMap(({ flow }) =>
      Array.from({ length: 150 }, async () => {
        const permit = await pass(flow, 'shared', limits);
        sent.push({ at: performance.now() });
        permit.release(OK);
      }),
    ),
  );
  expect(worstExcess(sent, limits)).toBeLessThanOrEqual(1 + LATENESS / 5);
  const times = sent.map(({ at }) => at).sort((a, b) => a - b);
  const perSecond = (1_000 * (times.length - 1)) / (times.at(-1)! - times[0]!);
  expect(perSecond).toBeGreaterThan(0.95 * 200);
});

test('four processes share permits; those of a dead one come back by its lease', async () => {
  await using all = await members(4, randomUUID());
  const limits = { concurrency: 6 };
  const dead = await Promise.all([1, 2, 3].map(() => pass(all[0]!.flow, 'shared', limits)));
  expect(dead).toHaveLength(3);
  let now = 0;
  let most = 0;
  const perMember = [0, 0, 0];
  const work = Promise.all(
    all.slice(1).flatMap(({ flow }, member) =>
      Array.from({ length: 40 }, async () => {
        const permit = await pass(flow, 'shared', limits);
        most = Math.max(most, ++now);
        perMember[member]!++;
        // The others' turns come, though this one has more waiting.
        if (perMember.reduce((a, b) => a + b) === 60) {
          expect(Math.min(...perMember)).toBeGreaterThan(10);
        }
        await pause(20);
        now--;
        permit.release(OK);
      }),
    ),
  );
  await waitFor(() => perMember[0]! > 5);
  expect(most).toBeLessThanOrEqual(3);
  await all[0]!.die();
  await work;
  expect(most).toBeLessThanOrEqual(6);
  // And nothing is left behind.
  await expect.poll(async () => (await all[1]!.flow.admin.show('shared')).inFlight).toBe(0);
  const later = await Promise.all(
    [1, 2, 3, 4, 5, 6].map(() => pass(all[1]!.flow, 'shared', limits)),
  );
  expect(later).toHaveLength(6);
}, 30_000);

test('a cool-down and a pause reach every process', async () => {
  await using all = await members(2, randomUUID());
  const [a, b] = [all[0]!.flow, all[1]!.flow];
  const limits = { rate: 1_000, period: 1_000 };
  const permit = await pass(a, 'shared', limits);
  const began = performance.now();
  permit.release(busy(600));
  await waitFor(async () => (await b.admin.show('shared')).coolFor > 0);
  (await pass(b, 'shared', limits)).release(OK);
  expect(performance.now() - began).toBeGreaterThan(590);
  await a.admin.pause('shared');
  const waiting = pass(b, 'shared', limits);
  await b.admin.resume('shared');
  (await waiting).release(OK);
});

test('Redis goes: each process has its share; Redis comes back: the limit is one again', async () => {
  await using redis = await startRedis();
  const queue = randomUUID();
  await using a = await startMember(redis, queue);
  await using b = await startMember(redis, queue);
  const limits = { concurrency: 4 };
  // Both have been seen.
  for (const { flow } of [a, b]) (await pass(flow, 'shared', limits)).release(OK);
  await redis.kill();
  let now = 0;
  let most = 0;
  const run = (count: number) =>
    Promise.all(
      [a, b].flatMap(({ flow }) =>
        Array.from({ length: count }, async () => {
          const permit = await pass(flow, 'shared', limits);
          most = Math.max(most, ++now);
          await pause(20);
          now--;
          permit.release(OK);
        }),
      ),
    );
  await run(10);
  expect(most).toBe(4);
  await redis.restart();
  const held = `patient:{default/${queue}}:flow-held:shared`;
  // Both say what they hold; only then does Redis decide again.
  await Promise.all([run(300), waitFor(async () => (await redis.redis.hlen(held)) === 2)]);
  expect(most).toBe(4);
  const [all] = await Promise.all([
    Promise.all([1, 2, 3, 4].map(() => pass(a.flow, 'shared', limits))),
    waitFor(async () => (await redis.redis.hvals(held)).includes('4')),
  ]);
  for (const permit of all) permit.release(OK);
}, 30_000);

test('what a cut-off process holds is free after its lease, and counts again when it is back', async () => {
  await using all = await members(2, randomUUID());
  const [a, b] = [all[0]!, all[1]!];
  const limits = { concurrency: 2 };
  const held = await Promise.all([1, 2].map(() => pass(a.flow, 'shared', limits)));
  a.network.freeze();
  const began = performance.now();
  (await pass(b.flow, 'shared', limits)).release(OK);
  expect(performance.now() - began).toBeGreaterThan(LEASE_TTL / 3);
  a.network.restore();
  await expect
    .poll(async () => (await b.flow.admin.show('shared')).inFlight, { timeout: 10_000 })
    .toBe(2);
  let through = false;
  const next = pass(b.flow, 'shared', limits).then((permit) => {
    through = true;
    permit.release(OK);
  });
  await waitFor(async () => (await server.redis.keys('*flow-waiting:shared')).length > 0);
  expect(through).toBe(false);
  held[0]!.release(OK);
  await next;
  held[1]!.release(OK);
}, 30_000);
