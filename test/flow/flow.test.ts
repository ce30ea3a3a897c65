import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Flow } from '../../src/flow/flow.ts';
import type { Permit } from '../../src/flow/port.ts';
import type { FlowLimits } from '../../src/shared/flow-limits.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';
import { mostAtOnce, changes } from './changes.ts';
import { OK, pass, sentAway, startAlone, startMember, busy } from './processes.ts';
import { mostIn, worstExcess, watchLateness, type Sent } from './windows.ts';

const never = new AbortController().signal;

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
    const together = watchLateness();
    const began = performance.now();
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        const permit = await pass(member.flow, 'rate', limits);
        sent.push({ at: performance.now() });
        permit.release(OK);
      }),
    );
    expect(mostIn(sent, 1_000)).toBeLessThanOrEqual(101 + together(limits));
    expect(performance.now() - began).toBeGreaterThan(1_980);
  });

  test('a process that stalls again and again sends no more than the rate in any second', async () => {
    await using member = await start();
    const limits = { rate: 200, period: 1_000, burst: 5 };
    const sent: Sent[] = [];
    const stalls = setInterval(() => {
      const until = performance.now() + 80;
      while (performance.now() < until);
    }, 300);
    try {
      await Promise.all(
        Array.from({ length: 400 }, async () => {
          const permit = await pass(member.flow, 'stalls', limits);
          sent.push({ at: performance.now() });
          permit.release(OK);
        }),
      );
    } finally {
      clearInterval(stalls);
    }
    expect(mostIn(sent, 1_000)).toBeLessThanOrEqual(205);
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
    const limits = { rate: 5, period: 1_000, burst: 10 };
    const began = performance.now();
    for (let i = 0; i < 10; i++) (await pass(member.flow, 'burst', limits)).release(OK);
    const burst = performance.now() - began;
    for (let i = 0; i < 5; i++) (await pass(member.flow, 'burst', limits)).release(OK);
    expect(performance.now() - began).toBeGreaterThan(980);
    // At the rate alone they take two seconds.
    expect(burst).toBeLessThan(1_900);
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
    const limits = { rate: 100, period: 10_000, burst: 100 };
    const first = await pass(member.flow, 'refund', limits, { cost: 100, pointer: '/total' });
    first.release({ ...OK, body: '{"total":0}' });
    const began = performance.now();
    await pass(member.flow, 'refund', limits, { cost: 100 });
    expect(performance.now() - began).toBeLessThan(9_000);
  });

  test('estimates four times too high do not keep a budget from being used', async () => {
    await using member = await start();
    const limits = { rate: 1_000, period: 1_000, burst: 4_000 };
    const cost = { cost: 40, pointer: '/total' };
    const sent: Sent[] = [];
    const began = performance.now();
    await Promise.all(
      Array.from({ length: 400 }, async () => {
        const permit = await pass(member.flow, 'estimates', limits, cost);
        sent.push({ at: performance.now(), cost: 10 });
        await pause(200);
        permit.release({ ...OK, body: '{"total":10}' });
      }),
    );
    // By the estimates they take 12 s.
    expect(performance.now() - began).toBeLessThan(9_000);
    expect(worstExcess(sent, limits)).toBeLessThanOrEqual(limits.burst);
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

  test('one that has ended holds nothing any more, where only a rate limits too', async () => {
    await using member = await start();
    const { admin } = member.flow;
    (await pass(member.flow, 'ended', { rate: 100, period: 1_000 })).release(OK);
    await expect.poll(async () => (await admin.show('ended')).inFlight).toBe(0);
  });

  test('who only names a key has its limits, and leaves them as they are', async () => {
    await using member = await start();
    const { flow } = member;
    const one = { concurrency: 1 };
    expect(await mostAtOnce([flow], [one, {}, one, {}, {}])).toBe(1);
    // Also when nothing of it is under way.
    expect(await mostAtOnce([flow], [{}, {}])).toBe(1);
    await flow.admin.set('named', { concurrency: 3 });
    const three = await Promise.all([1, 2, 3].map(() => pass(flow, 'named', {})));
    for (const permit of three) permit.release(OK);
    await flow.admin.set('named', undefined);
    await waitFor(async () => (await flow.admin.show('named')).limits.concurrency === 1);
    expect(await mostAtOnce([flow], [{}, {}])).toBe(1);
    expect(await mostAtOnce([flow], [{ concurrency: 2 }, {}, {}, {}])).toBe(2);
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

  test('after a cool-down a rate comes back slowly too', async () => {
    await using member = await start();
    const limits = { rate: 100, period: 1_000, burst: 100 };
    const first = await pass(member.flow, 'ramp', limits);
    first.release(busy(300));
    const began = performance.now();
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      const permit = await pass(member.flow, 'ramp', limits);
      times.push(performance.now() - began);
      permit.release(OK);
    }
    expect(times[0]).toBeGreaterThan(290);
    // A tenth of the burst, and then of the rate.
    expect(times[19]! - times[0]!).toBeGreaterThan(600);
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
    expect(await admin.list()).toMatchObject({ rows: [{ key: 'host' }], matched: 1, total: 1 });
  });

  test('a change leaves what it does not name as it is in force', async () => {
    await using member = await start();
    const { admin } = member.flow;
    const setting = (limits: FlowLimits) => admin.set('prices', limits);
    await expect(setting({ burst: 20 })).rejects.toThrow(
      'limits.burst: expected a rate beside it, for the key has none, got 20',
    );
    await expect(setting({ period: 60_000 })).rejects.toThrow(TypeError);
    const stated = { rate: 600, period: 60_000, concurrency: 9 };
    (await pass(member.flow, 'prices', stated)).release(OK);
    const limits = async () => (await admin.show('prices')).limits;
    await setting({ burst: 20 });
    expect(await limits()).toEqual({ ...stated, burst: 20 });
    await setting({ rate: 300 });
    expect(await limits()).toEqual({ ...stated, rate: 300, burst: 20 });
    await setting({ period: 1_000 });
    expect(await limits()).toEqual({ ...stated, rate: 300, period: 1_000, burst: 20 });
    // A rate that was set keeps its period, whatever specs say later.
    (await pass(member.flow, 'prices', { rate: 1, period: 3_600_000 })).release(OK);
    await waitFor(async () => (await limits()).concurrency === undefined);
    expect(await limits()).toEqual({ rate: 300, period: 1_000, burst: 20 });
    await expect(setting({ rate: 1e-9 })).rejects.toThrow(
      'limits.rate: expected at least one unit in 24.8 days, got 1e-9 in 1000 ms',
    );
    await admin.set('new', { rate: 5 });
    expect((await admin.show('new')).override).toEqual({ rate: 5, period: 1_000 });
  });

  test('changes at run time reach those that wait', async () => {
    await using member = await start();
    await changes(member.flow, member.flow);
  });

  test('long waits are sent away: a crowd, a slow rate, a long cool-down', async () => {
    await using member = await start();
    const { flow } = member;
    const minute = {
      key: 'slow',
      limits: { rate: 1, period: 19_000 },
      cost: 1,
      pointer: undefined,
    };
    (await pass(flow, 'slow', minute.limits)).release(OK);
    const controller = new AbortController();
    const waiting = [1, 2, 3].map(() => flow.acquire('host', minute, controller.signal)!);
    const later = await sentAway(flow.acquire('host', minute, never));
    // Its turn is in 76 s, and it may wait the last half minute here.
    expect(later).toBeGreaterThan(45_000);
    controller.abort(new Error('enough'));
    expect((await Promise.allSettled(waiting)).every((each) => each.status === 'rejected')).toBe(
      true,
    );

    // By what those before it take, and not what a burst lets go at once.
    const budget = {
      ...{ key: 'budget', cost: 1_000, pointer: undefined },
      limits: { rate: 60_000, period: 60_000, burst: 50_000 },
    };
    const gone = new AbortController();
    setMaxListeners(0, gone.signal);
    const turns = Array.from({ length: 200 }, () => flow.acquire('host', budget, gone.signal)!);
    expect(await sentAway(turns[199])).toBeGreaterThan(30_000);
    expect((await Promise.all(turns.slice(0, 50))).some((turn) => 'later' in turn)).toBe(false);
    gone.abort(new Error('enough'));
    const ended = await Promise.allSettled(turns);
    expect(ended.filter(({ status }) => status === 'rejected').length).toBeLessThan(70);

    const cool = { key: 'away', limits: { concurrency: 1 }, cost: 1, pointer: undefined };
    const held = await pass(flow, 'away', cool.limits);
    const queued = flow.acquire('host', cool, never);
    held.release(busy(300_000));
    expect(await sentAway(queued)).toBeGreaterThan(290_000);
    expect(await sentAway(flow.acquire('host', cool, never))).toBeGreaterThan(290_000);
  });
});
