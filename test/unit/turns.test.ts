import { setImmediate as turnOver } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turns } from '../../src/shared/turns.ts';

test('so many at once, in order, whether or not they succeed', async () => {
  const turns = new Turns(2);
  const order: number[] = [];
  let inside = 0;
  let peak = 0;
  const work = (index: number) => async (): Promise<number> => {
    order.push(index);
    peak = Math.max(peak, ++inside);
    await turnOver();
    inside--;
    if (index % 3 === 0) throw new Error(`${index} fails`);
    return index;
  };
  const results = await Promise.allSettled([0, 1, 2, 3, 4, 5, 6].map((i) => turns.take(work(i))));
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(peak).toBe(2);
  expect(results.map(({ status }) => status === 'rejected')).toEqual(
    [0, 1, 2, 3, 4, 5, 6].map((i) => i % 3 === 0),
  );
  expect(await turns.take(work(7))).toBe(7);
});
