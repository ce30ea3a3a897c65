import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { openFleet } from '../../src/fleet/open.ts';
import { KeptOutcomeError } from '../../src/shared/errors.ts';
import { keyString } from '../../src/shared/request-key.ts';
import { waitFor } from '../support/wait-for.ts';
import {
  OUTCOME,
  TTL,
  claimed,
  makeAttempt,
  ownerOf,
  record,
  seal,
  server,
  startOwner,
} from './owner.ts';

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
  expect(a.events.cancelled).toHaveBeenCalledWith(keyString(running.key), 'workflow');

  const later = record();
  await b.liveness.cancel(later.key);
  expect(await a.liveness.register(later, false)).toEqual({
    answer: 'run',
    cancelRequested: 'workflow',
  });
  await a.stop();
  await b.stop();
});

test("an operator's cancel says whom it has reached, and outlives a hand-over", async () => {
  const queue = randomUUID();
  await using fleet = await openFleet({ redisUrl: server.url, taskQueue: queue });
  const a = await startOwner(queue);
  const running = record();
  const item = { ...running.key, index: 1 };
  await expect(fleet.cancel(item)).rejects.toThrow(
    `cancel: a request of batch ${item.workflowId}: no process runs it now`,
  );
  await a.liveness.register(running, false);
  expect(await fleet.cancel(running.key)).toBe('told');
  await waitFor(() => a.events.cancelled.mock.calls.length === 1);
  expect(a.events.cancelled).toHaveBeenCalledWith(keyString(running.key), 'operator');
  // It was being handed back just then.
  await a.liveness.release(running.key, running.attempt);
  const next = record(2, 2_000, running.key);
  expect(await a.liveness.register(next, false)).toMatchObject({ cancelRequested: 'operator' });

  const other = record();
  await a.liveness.register(other, false);
  a.network.cut();
  await expect.poll(() => fleet.cancel(other.key)).toBe('flagged');
  a.network.restore();
  await expect.poll(() => fleet.cancel(other.key)).toBe('told');

  const waiting = record();
  expect(await fleet.cancel(waiting.key)).toBe('flagged');
  expect(await a.liveness.register(waiting, false)).toMatchObject({ cancelRequested: 'operator' });
  await a.stop();
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

describe('an outcome that a process cannot read', () => {
  const unreadable = new KeptOutcomeError('no key');

  /** A process without the key, and attempts of a request that ended in one that is gone. */
  async function startBlind(open: () => Promise<never>) {
    const queue = randomUUID();
    const blind = await startOwner(queue, { ...seal, open });
    const gone = await startOwner(queue);
    const ended = record(1);
    await gone.liveness.register(ended, false);
    await gone.liveness.settle(ended.key, OUTCOME);
    await gone.stop();
    const next = (number: number) => record(number, number * 1000, ended.key);
    const failed = () => blind.orphans.map(({ attempt }) => attempt.number);
    return { queue, blind, next, failed };
  }

  test('goes on to one that can, and the attempt is its own to fail', async () => {
    const { queue, blind, next, failed } = await startBlind(() => Promise.reject(unreadable));
    await expect(blind.liveness.register(next(2), true)).rejects.toBe(unreadable);
    const sighted = await startOwner(queue);
    const kept = { answer: 'kept', outcome: OUTCOME };
    expect(await sighted.liveness.register(next(3), true)).toEqual(kept);
    await blind.stop();
    await sighted.stop();
    expect(failed()).not.toContain(2);
    expect(failed()).not.toContain(3);
  });

  test('an attempt that has attached meanwhile goes back', async () => {
    let fail = (): void => undefined;
    const opened = new Promise<never>((_, reject) => (fail = () => reject(unreadable)));
    opened.catch(() => undefined);
    const { queue, blind, next, failed } = await startBlind(() => opened);
    const registered = blind.liveness.register(next(2), true);
    registered.catch(() => undefined);
    await waitFor(async () => {
      const where = await blind.liveness.whereabouts(next(2).key);
      return where.owner === 'self' && where.attempt?.number === 2;
    });
    const sighted = await startOwner(queue);
    expect(await sighted.liveness.register(next(3), true)).toEqual({ answer: 'attached' });
    fail();
    await expect(registered).rejects.toBe(unreadable);
    expect(failed()).toContain(3);
    await blind.stop();
    await sighted.stop();
  });
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
  // It has one connection for commands and one for messages.
  const channel = `patient:{default/${queue}}:owner:${stalled.liveness.owner}`;
  await waitFor(async () => (await server.redis.pubsub('NUMSUB', channel))[1] === 1);
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
  const outcome = await seal.seal(key, OUTCOME, false);
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
