import { expect, test } from 'vitest';
import { countOfRound, turnOf } from '../../workflows/batch-rounds.ts';

const NOW = 1_000_000;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Seconds from now at which they are due, and what their deadline leaves then. */
function count(...waiting: [due: number, left?: number][]): number {
  return countOfRound(
    waiting.map(([due, left = Infinity]) => {
      const notBefore = NOW + due * SECOND;
      return { notBefore, deadlineAt: Math.max(NOW, notBefore) + left * SECOND };
    }),
    NOW,
  );
}

test.each<[string, number, Parameters<typeof count>]>([
  ['none', 0, []],
  ['those of some seconds', 3, [[1], [2], [5.9], [6.1]]],
  ['a Retry-After of minutes holds back no others', 1, [[1, 300], [600]]],
  ['long waits, with their jitter', 3, [[48], [60], [72], [120]]],
  ['all that are due', 3, [[-70], [-30], [0], [6]]],
  ['and those of some seconds more', 4, [[-70], [-30], [0], [4]]],
  ['none costs another more than half of what it has', 2, [[1, 4], [2.9], [3.1]]],
  ['also one that comes later', 2, [[1], [2, 2], [3.1]]],
  ['a deadline that has passed costs those nothing that are due', 2, [[-9, 0], [-8], [1]]],
])('go together: %s', (_, expected, waiting) => {
  expect(count(...waiting)).toBe(expected);
});

test('whatever waits goes in few rounds', () => {
  const waiting = Array.from({ length: 600 }, (_, i) => ({
    ...{ notBefore: NOW + i * SECOND, deadlineAt: Infinity },
  }));
  let rounds = 0;
  for (let now = NOW; waiting.length > 0; rounds++) {
    const gone = waiting.splice(0, countOfRound(waiting, now));
    now = gone.at(-1)!.notBefore;
  }
  expect(rounds).toBeLessThan((10 * MINUTE) / (5 * SECOND));
});

test('those that wait for their turns go in groups, before them and never at once', () => {
  const turns = Array.from({ length: 300 }, (_, i) => turnOf(NOW + i * SECOND, NOW));
  for (const [i, turn] of turns.entries()) {
    const due = NOW + i * SECOND;
    expect(turn).toBeLessThanOrEqual(due);
    expect(turn).toBeGreaterThan(i < 15 ? due - 1 : due - 15 * SECOND);
  }
  expect(new Set(turns.slice(15)).size).toBeLessThanOrEqual(20);
});
