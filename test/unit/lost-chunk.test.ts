/** The parts of Temporal's workflow code are replaced: they work in a workflow alone. */
import { CancelledFailure } from '@temporalio/common';
import { expect, test, vi } from 'vitest';
import { checkBatch } from '../../src/shared/batch-spec.ts';
import { BatchReport } from '../../workflows/batch-report.ts';
import { lostResults } from '../../workflows/lost-chunk.ts';
import { TaskRoom } from '../../workflows/task-room.ts';

vi.mock('@temporalio/workflow', async (original) => ({
  ...(await original<object>()),
  workflowInfo: () => ({ workflowId: 'w' }),
}));

test('a cancel before a chunk is scheduled: what an earlier one has sent is not told as unsent', async () => {
  const item = { index: 0, spec: { url: 'https://api.test/', method: 'POST' }, tries: 0 };
  const items = [item, { ...item, sent: true }, { ...item, spec: 'https://api.test/', sent: true }];
  const batch = checkBatch({ requests: [] });
  const report = new BatchReport(batch, 'r', 'queue', new TaskRoom(), 0);
  const failure = new CancelledFailure('cancelled');
  expect(await lostResults('a', items, failure, report, 'queue')).toMatchObject([
    { error: { type: 'CancelledError', phase: 'queued' } },
    { error: { type: 'OutcomeUnknownError', phase: 'sent' } },
    { error: { type: 'CancelledError', phase: 'sent' } },
  ]);
});
