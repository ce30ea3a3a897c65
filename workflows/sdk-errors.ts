import { IllegalStateError, TemporalFailure } from '@temporalio/common';
import { DeterminismViolationError } from '@temporalio/workflow';

/**
 * What ends a workflow, or is the SDK's own way to say that this code must not go on. Any other
 * error would block the workflow: its task would fail and be tried again for ever.
 */
export function belongsToSdk(error: unknown): boolean {
  return (
    error instanceof TemporalFailure ||
    error instanceof DeterminismViolationError ||
    error instanceof IllegalStateError
  );
}
