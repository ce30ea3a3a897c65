import { z } from 'zod';
import { name } from './fields.ts';
import { callbackRetrySchema } from './retry.ts';

export const callbackSchema = z.union(
  [
    name(),
    z.strictObject({
      workflow: name(),
      taskQueue: name().optional(),
      retry: callbackRetrySchema.optional(),
    }),
    z.strictObject({ signal: name(), workflowId: name() }),
  ],
  { error: 'expected a workflow name, { workflow, taskQueue } or { signal, workflowId }' },
);
