import { z } from 'zod';
import { invalidRequest } from '../shared/errors.ts';
import { atLeast, duration, integer, name } from './fields.ts';

const retrySchema = z
  .strictObject(
    {
      maximumAttempts: integer(1),
      initialInterval: duration(),
      backoffCoefficient: atLeast(1),
      maximumInterval: duration(),
    },
    { error: 'expected an object of retry options' },
  )
  .partial();

export const callbackSchema = z.union(
  [
    name(),
    z.strictObject({
      workflow: name(),
      taskQueue: name().optional(),
      retry: retrySchema.optional(),
    }),
    z.strictObject({ signal: name(), workflowId: name() }),
  ],
  { error: 'expected a workflow name, { workflow, taskQueue } or { signal, workflowId }' },
);

export type CheckedCallback = z.output<typeof callbackSchema>;

/** Who is told, with the queue filled in from the worker's `callbackTaskQueue`. */
export function resolveCallback(
  callback: CheckedCallback,
  callbackTaskQueue: string | undefined,
): Exclude<CheckedCallback, string> {
  const target = typeof callback === 'string' ? { workflow: callback } : callback;
  if ('signal' in target) return target;
  const taskQueue = target.taskQueue ?? callbackTaskQueue;
  if (taskQueue !== undefined) return { ...target, taskQueue };
  throw invalidRequest(
    "callback.taskQueue: expected a task queue, here or as the worker's callbackTaskQueue, got none",
  );
}
