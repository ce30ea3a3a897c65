import { ApplicationFailure, IllegalStateError } from '@temporalio/common';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeEach, expect, test, vi } from 'vitest';
import { requestError } from '../../workflows/failure.ts';
import { patientGet } from '../../workflows/request-workflows.ts';

const submitRequest = vi.hoisted(() => vi.fn<(...args: unknown[]) => Promise<unknown>>());
const startChild = vi.hoisted(() => vi.fn<(...args: unknown[]) => Promise<unknown>>());

vi.mock('../../workflows/submit-request.ts', () => ({ submitRequest }));
vi.mock('@temporalio/workflow', async (original) => ({
  ...(await original<object>()),
  startChild,
  workflowInfo: () => ({ workflowId: 'w', originalExecutionRunId: 'r', taskQueue: 'q' }),
  CancellationScope: { nonCancellable: (action: () => unknown) => action() },
  log: { warn: () => undefined },
}));

const callback = { workflow: 'told', taskQueue: 'mine' };
const run = () => patientGet({ url: 'https://api.test/?token=hidden', callback });
const failure = () => run().catch((error: unknown) => error);

beforeEach(() => {
  submitRequest.mockReset();
  startChild.mockReset();
});

test('an error of whatever kind ends the workflow, and its callback is told', async () => {
  submitRequest.mockRejectedValue(new TypeError('broken'));
  const error = await failure();
  expect(error).toBeInstanceOf(ApplicationFailure);
  expect(error).toMatchObject({ type: 'UnknownError', nonRetryable: true });
  const known = requestError(error);
  expect(known).toMatchObject({ message: 'TypeError: broken', url: 'https://api.test/' });
  expect(startChild.mock.calls[0]![1]).toMatchObject({
    args: [{ outcome: 'error', error: known }],
  });
});

test('so does one while the callback is started', async () => {
  submitRequest.mockResolvedValue({ status: 200 });
  startChild.mockRejectedValue(new RangeError('too deep'));
  expect(requestError(await failure())).toMatchObject({
    type: 'UnknownError',
    message: 'RangeError: too deep',
  });
});

test.each([new DeterminismViolationError('differs'), new IllegalStateError('no')])(
  "the SDK's own %s stays, and starts nothing",
  async (error) => {
    submitRequest.mockRejectedValue(error);
    expect(await failure()).toBe(error);
    expect(startChild).not.toHaveBeenCalled();
  },
);
