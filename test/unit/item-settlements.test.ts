import { expect, test } from 'vitest';
import { ItemSettlements } from '../../src/liveness/item-settlements.ts';

test('outcomes of one turn are kept by one call for each batch, of a hundred at most', async () => {
  const calls: [id: string, fields: string[]][] = [];
  const items = new ItemSettlements(async (id, fields) => {
    calls.push([id, fields]);
    // As when Redis is away for the first call.
    return calls.length > 1;
  });
  const kept = Array.from({ length: 250 }, (_, i) => items.add('a', `outcome:${i}`, `${i}`));
  kept.push(items.add('b', 'outcome:0', 'other'));

  const answers = await Promise.all(kept);
  expect(answers.filter((answer) => !answer)).toHaveLength(100);
  expect(calls.map(([id, fields]) => [id, fields.length / 2])).toEqual([
    ['a', 100],
    ['a', 100],
    ['a', 50],
    ['b', 1],
  ]);
  expect(calls.flatMap(([id, fields]) => (id === 'a' ? fields : []))).toEqual(
    Array.from({ length: 250 }, (_, i) => [`outcome:${i}`, `${i}`]).flat(),
  );

  expect(await items.add('a', 'outcome:250', 'later')).toBe(true);
  expect(calls).toHaveLength(5);
});

test('a call takes a megabyte of outcomes, and one that is larger goes alone', async () => {
  const calls: string[][] = [];
  const items = new ItemSettlements(async (_, fields) => {
    calls.push(fields.filter((_field, i) => i % 2 === 0));
    return true;
  });
  const sizes = [400_000, 400_000, 400_000, 2_000_000, 1];
  await Promise.all(sizes.map((size, i) => items.add('a', `${i}`, 'x'.repeat(size))));
  expect(calls).toEqual([['0', '1'], ['2'], ['3'], ['4']]);
});
