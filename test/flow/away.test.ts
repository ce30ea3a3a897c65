import { afterEach, expect, test, vi } from 'vitest';
import { Away } from '../../src/flow/away.ts';
import { memoryFlow, OK } from './processes.ts';

afterEach(() => void vi.useRealTimers());

const SECOND = 1_000;
const MINUTE = 60_000;

test('they come back one after the other, half a wait before their turns', () => {
  const away = new Away(MINUTE);
  for (let i = 0; i < 2_000; i++) {
    const { later } = away.send({ wait: MINUTE + 1, blocked: 0, each: 100 });
    const turn = MINUTE + i * 100;
    expect(later).toBeGreaterThan(turn - MINUTE / 2 - SECOND);
    expect(later).toBeLessThan(turn + SECOND);
  }
});

test('however many: nobody is away for more than minutes, and the turns of others are their own', () => {
  const away = new Away(MINUTE);
  const send = () => away.send({ wait: MINUTE + 1, blocked: 0, each: 10 * SECOND }).later;
  const all = Array.from({ length: 1_000 }, send);
  expect(Math.max(...all)).toBeLessThanOrEqual(5.5 * MINUTE);
  // Had those that come only to be told again taken turns, a shorter one would find none.
  away.forget();
  expect(send()).toBeLessThan(MINUTE + SECOND);
});

test('not before what nothing goes before; not at once either', () => {
  const away = new Away(MINUTE);
  const later = away.send({ wait: 60 * MINUTE, blocked: 60 * MINUTE, each: 10 }).later;
  expect(later).toBeGreaterThanOrEqual(60 * MINUTE);
  const soon = new Away(MINUTE).send({ wait: 0, blocked: -Infinity, each: 0 }).later;
  expect(soon).toBeGreaterThanOrEqual(5 * SECOND);
  expect(soon).toBeLessThanOrEqual(6 * SECOND);
});

test('a crowd comes back in its turns: the key is never idle, and few come twice', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  const flow = memoryFlow();
  await flow.start();
  const crowd = 800;
  const limits = { rate: 2, period: SECOND };
  let asked = 0;
  let gone = 0;
  const one = async (): Promise<void> => {
    const { signal } = new AbortController();
    for (;;) {
      asked++;
      const turn = await flow.acquire(
        'host',
        { key: 'slow', limits, cost: 1, pointer: undefined },
        signal,
      )!;
      if ('later' in turn) {
        await new Promise((resolve) => setTimeout(resolve, turn.later));
        continue;
      }
      gone++;
      return turn.release(OK);
    }
  };
  const began = performance.now();
  const all = Promise.all(Array.from({ length: crowd }, one));
  // At 2/s, less the slack: 412 s.
  while (gone < crowd && performance.now() - began < 10 * MINUTE) {
    await vi.advanceTimersByTimeAsync(SECOND);
  }
  await all;
  const took = performance.now() - began;
  expect(took).toBeLessThan(1.05 * crowd * 515);
  expect(asked).toBeLessThan(2.3 * crowd);
  await flow.stop();
});
