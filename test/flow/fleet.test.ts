import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Permit } from '../../src/flow/port.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';
import { mostAtOnce, changes } from './changes.ts';
import { LEASE_TTL, memoryFlow, OK, pass, startMember, type Member, busy } from './processes.ts';
import { mostIn, worstExcess, watchLateness, type Sent } from './windows.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server?.[Symbol.asyncDispose]());

async function members(
  count: number,
  queue: string,
  redis = server,
): Promise<Member[] & AsyncDisposable> {
  const all = await Promise.all(Array.from({ length: count }, () => startMember(redis, queue)));
  return Object.assign(all, {
    async [Symbol.asyncDispose]() {
      for (const member of all) await member[Symbol.asyncDispose]();
    },
  });
}

test('four processes share a rate, and waste none of it', async () => {
  await using all = await members(4, randomUUID());
  // Little work for much time: what it takes on a busy machine is the rate's, not the machine's.
  const limits = { rate: 40, period: 1_000 };
  const sent: Sent[] = [];
  const together = watchLateness();
  await Promise.all(
    all.flatMap(({ flow }) =>
      Array.from({ length: 30 }, async () => {
        const permit = await pass(flow, 'shared', limits);
        sent.push({ at: performance.now() });
        permit.release(OK);
      }),
    ),
  );
  expect(mostIn(sent, 1_000)).toBeLessThanOrEqual(41 + together(limits));
  const times = sent.map(({ at }) => at).sort((a, b) => a - b);
  const perSecond = (1_000 * (times.length - 1)) / (times.at(-1)! - times[0]!);
  // Less than the share of one of them; bench/ measures how near to the rate it is on a quiet machine.
  expect(perSecond).toBeGreaterThan(0.75 * 40);
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
});

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

test('limits of the option are in force before a request has used them', async () => {
  const options = { limits: { prices: { rate: 600, period: 60_000 } } };
  const alone = memoryFlow(options);
  await alone.start();
  await using member = await startMember(server, randomUUID(), options);
  for (const { admin } of [alone, member.flow]) {
    await admin.set('prices', { rate: 300 });
    expect((await admin.show('prices')).limits).toEqual({ rate: 300, period: 60_000 });
  }
  await alone.stop();
});

test('changes at run time reach those that wait in another process', async () => {
  await using all = await members(2, randomUUID());
  await changes(all[0]!.flow, all[1]!.flow);
});

test('limits of a key reach a process whose requests only name it, also while Redis is away', async () => {
  await using redis = await startRedis();
  const queue = randomUUID();
  await using a = await startMember(redis, queue);
  await using b = await startMember(redis, queue);
  const flows = [a.flow, b.flow];
  (await pass(a.flow, 'named', { concurrency: 2 })).release(OK);
  expect(await mostAtOnce(flows, [{}, {}, {}, {}, {}, {}])).toBe(2);
  const held = await pass(b.flow, 'named', {});
  await waitFor(() => b.processes() === 2);
  await redis.kill();
  const more = mostAtOnce([b.flow], [{}, {}, {}]);
  held.release(OK);
  expect(await more).toBe(1);
});

test('a half-open breaker lets one request of all processes through', async () => {
  await using all = await members(4, randomUUID());
  const limits = { breaker: { failures: 2, openFor: 300 } };
  for (let i = 0; i < 2; i++) (await pass(all[0]!.flow, 'probe', limits)).release('failed');
  const probes: Permit[] = [];
  const waiting = all.flatMap(({ flow }) =>
    [1, 2].map(async () => {
      const permit = await pass(flow, 'probe', limits);
      probes.push(permit);
      return permit;
    }),
  );
  await waitFor(() => probes.length === 1);
  const { admin } = all[3]!.flow;
  await waitFor(async () => (await admin.show('probe')).coolFor === 0);
  expect(probes).toHaveLength(1);
  expect(await admin.show('probe')).toMatchObject({ failures: 2, inFlight: 1 });
  probes[0]!.release(OK);
  for (const permit of await Promise.all(waiting)) permit.release(OK);
});

test('Redis goes: each process has its share; Redis comes back: the limit is one again', async () => {
  await using redis = await startRedis();
  const queue = randomUUID();
  await using a = await startMember(redis, queue);
  await using b = await startMember(redis, queue);
  const limits = { concurrency: 4 };
  await waitFor(() => [a, b].every(({ processes }) => processes() === 2));
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
});

test('Redis goes before any process has asked: they keep to a rate and a burst together', async () => {
  await using redis = await startRedis();
  const queue = randomUUID();
  await using all = await members(4, queue, redis);
  await waitFor(() => all.every(({ processes }) => processes() === 4));
  await redis.kill();
  const limits = { rate: 20, period: 1_000, burst: 40 };
  const sent: Sent[] = [];
  await Promise.all(
    all.flatMap(({ flow }) =>
      Array.from({ length: 20 }, async () => {
        const permit = await pass(flow, 'shared', limits);
        sent.push({ at: performance.now() });
        permit.release(OK);
      }),
    ),
  );
  expect(worstExcess(sent, limits)).toBeLessThanOrEqual(limits.burst);
});

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
  await expect.poll(async () => (await b.flow.admin.show('shared')).inFlight).toBe(2);
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
});

test('permits of requests that end while Redis is away are free when it is back', async () => {
  await using redis = await startRedis({ persistent: true });
  const queue = randomUUID();
  await using a = await startMember(redis, queue);
  await using b = await startMember(redis, queue);
  const limits = { concurrency: 2 };
  const held = await Promise.all([1, 2].map(() => pass(a.flow, 'shared', limits)));
  await redis.kill();
  for (const permit of held) permit.release(OK);
  await redis.restart();
  await waitFor(
    async () => !(await redis.redis.exists(`patient:{default/${queue}}:flow-held:shared`)),
  );
  (await pass(b.flow, 'shared', limits)).release(OK);
});
