import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, expect, test, vi } from 'vitest';
import { createControlActivities } from '../../activities/control.ts';
import { HeldOutcomes } from '../../src/liveness/held-outcomes.ts';
import { MemoryLiveness } from '../../src/liveness/memory.ts';
import type { Outcome } from '../../src/shared/outcome.ts';
import { quietLogger } from '../support/environment.ts';
import { asksAgainAt } from '../../workflows/held-outcomes.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const OUTCOME = { kind: 'error', error: { type: 'UnknownError' } } as unknown as Outcome;
const key = (activityId: string) => ({ namespace: 'n', workflowId: 'w', runId: 'r', activityId });

/** Of any workflow. */
const isOpen = async () => true;

afterEach(() => void vi.useRealTimers());

test('what nobody asks for is forgotten after a day, what was given after ten minutes', async () => {
  vi.useFakeTimers();
  const held = new HeldOutcomes();
  const found = async (name: string) => (await held.collect(key(name), [0], [1])).size;
  await held.hold(key('a'), new Map([[0, OUTCOME]]));
  vi.advanceTimersByTime(HOUR);
  await held.hold(key('b'), new Map([[0, OUTCOME]]));
  await held.hold(key('c'), new Map([[0, OUTCOME]]));
  await held.collect(key('c'), [0], []);
  vi.advanceTimersByTime(11 * MINUTE);
  expect(await Promise.all(['a', 'b', 'c'].map(found))).toEqual([1, 1, 0]);
  vi.advanceTimersByTime(23 * HOUR);
  expect(await Promise.all(['a', 'b'].map(found))).toEqual([0, 1]);
  vi.advanceTimersByTime(HOUR);
  expect(await found('b')).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test('a process that stops keeps no timer', async () => {
  vi.useFakeTimers();
  const held = new HeldOutcomes();
  await held.hold(key('a'), new Map([[0, OUTCOME]]));
  await held.collect(key('a'), [0], []);
  expect(await held.stop(MINUTE, isOpen)).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test('a process that stops waits as long as it may for questions, and says what is lost', async () => {
  vi.useFakeTimers();
  const held = new HeldOutcomes();
  const hold = (name: string) => held.hold(key(name), new Map([0, 1, 2].map((i) => [i, OUTCOME])));
  await hold('a');
  let stopped = held.stop(10 * MINUTE, isOpen);
  await vi.advanceTimersByTimeAsync(9 * MINUTE);
  expect((await held.collect(key('a'), [0], [1, 2])).size).toBe(1);
  expect((await held.collect(key('a'), [1, 2], [])).size).toBe(2);
  expect(await stopped).toBe(0);

  await hold('b');
  stopped = held.stop(10 * MINUTE, isOpen);
  await vi.advanceTimersByTimeAsync(9 * MINUTE);
  await held.collect(key('b'), [0], [1, 2]);
  await vi.advanceTimersByTimeAsync(MINUTE);
  expect(await stopped).toBe(2);
  expect(vi.getTimerCount()).toBe(0);
});

test('a process that stops does not wait for workflows that have ended', async () => {
  vi.useFakeTimers();
  const held = new HeldOutcomes();
  await held.hold(key('a'), new Map([[0, OUTCOME]]));
  let asked = 0;
  // As when Temporal does not answer at first.
  const isGone = async (workflowId: string): Promise<boolean> => {
    if (++asked === 1) throw new Error(`away: ${workflowId}`);
    return workflowId !== 'w';
  };
  const stopped = held.stop(10 * MINUTE, isGone);
  await vi.advanceTimersByTimeAsync(MINUTE / 2);
  expect(await stopped).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test.each([
  ['the first answer, an hour late', undefined, 0],
  ['one soon after another', { ms: 500, at: -300 }, 800],
  ['one after an outage', { ms: 500, at: -HOUR }, 2_500],
])('that they are elsewhere: %s', async (_, before, ms) => {
  const { found, beats } = askedElsewhere(before);
  await expect(found).rejects.toMatchObject({ type: 'Elsewhere', nonRetryable: false });
  expect(beats).toEqual([{ ms, at: Date.now() }]);
});

test('what a minute of asking has not found is lost', async () => {
  expect(await askedElsewhere({ ms: MINUTE - 200, at: -200 }).found).toEqual([null]);
});

/** Of a question an hour ago, and what the last attempt has left. */
function askedElsewhere(before: { ms: number; at: number } | undefined) {
  vi.useFakeTimers({ toFake: ['Date'] });
  const now = Date.now();
  const environment = new MockActivityEnvironment(
    {
      scheduledTimestampMs: now - HOUR,
      heartbeatDetails: before && { ...before, at: now + before.at },
    },
    { logger: quietLogger },
  );
  const beats: unknown[] = [];
  environment.on('heartbeat', (details: unknown) => beats.push(details));
  const options = {
    ...{ callbackTaskQueue: undefined, batchDirectory: undefined, payloadStore: undefined },
  };
  const { collectOutcomes } = createControlActivities(
    new MemoryLiveness(),
    new HeldOutcomes(),
    options,
  );
  const part = { activityId: 'a', positions: [0], later: [] };
  return { found: environment.run(collectOutcomes, part), beats };
}

test('what cannot be read is asked for ever less often, and for an hour', () => {
  const pauses: number[] = [];
  for (let now = 0, again: number | undefined; (again = asksAgainAt(0, now)); now = again) {
    pauses.push(again - now);
  }
  expect(pauses.slice(0, 5)).toEqual([1_000, 1_000, 2_000, 4_000, 8_000]);
  expect(Math.max(...pauses)).toBe(5 * 60_000);
  expect(pauses.reduce((sum, each) => sum + each)).toBe(HOUR);
});

test('what the store has taken at a second try is not lost with the process', async () => {
  let isAway = true;
  const held = new HeldOutcomes({
    hold: async () => {
      if (isAway) throw new Error('away');
    },
    collect: async () => new Map(),
  });
  await held.hold(key('a'), new Map([[0, OUTCOME]]));
  isAway = false;
  await held.hold(key('a'), new Map([[0, OUTCOME]]));
  expect(await held.stop(MINUTE, isOpen)).toBe(0);
});
