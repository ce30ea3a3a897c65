import { expect, test } from 'vitest';
import { costIn } from '../../src/flow/cost.ts';

test.each([
  ['{"usage":{"total":42}}', 42],
  ['{"usage":{"total":0}}', 0],
  ['{"usage":{"total":1e9}}', 1e9],
  // What would take a budget for weeks, or for ever, is no cost.
  ['{"usage":{"total":1e999}}', undefined],
  ['{"usage":{"total":2e9}}', undefined],
  ['{"usage":{"total":-1}}', undefined],
  ['{"usage":{"total":"42"}}', undefined],
  ['{"usage":null}', undefined],
  ['no JSON', undefined],
])('the cost in %s', (body, cost) => {
  expect(costIn({ body, bodyEncoding: 'utf8' }, '/usage/total')).toBe(cost);
});
