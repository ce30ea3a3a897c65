import { expect, test, vi } from 'vitest';
import { endsRetries } from '../../workflows/batch-limits.ts';

vi.mock('@temporalio/workflow', async (original) => ({
  ...(await original<object>()),
  workflowInfo: () => ({ historySize: 0, historyLength: 40_000 - 12 * 100 }),
}));

test('nothing is tried again where the events of what is left would not fit', () => {
  expect(endsRetries(100)).toBe(false);
  expect(endsRetries(101)).toBe(true);
});
