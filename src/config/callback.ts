import { z } from 'zod';
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
