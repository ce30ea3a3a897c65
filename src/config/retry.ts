import { z } from 'zod';
import type { ResolvedRetry } from '../shared/resolved-request.ts';
import { atLeast, duration, integer } from './fields.ts';

const fields = {
  maximumAttempts: integer(1, 1000).describe('Tries in all.'),
  statuses: z
    .array(integer(100, 599), { error: 'expected an array of statuses' })
    .describe('Statuses that are tried again.'),
  initialInterval: duration().describe('Delay before the second try.'),
  backoffCoefficient: atLeast(1).describe('Factor between delays.'),
  maximumInterval: duration().describe('Longest delay of the back-off.'),
  maxRetryAfter: duration(0).describe('A wait that the server asks for is cut to it.'),
};

type Intervals = { initialInterval?: number | undefined; maximumInterval?: number | undefined };

function checkIntervals(retry: Intervals, ctx: z.RefinementCtx): void {
  const { initialInterval: initial, maximumInterval: maximum } = retry;
  if (initial === undefined || maximum === undefined || maximum >= initial) return;
  ctx.addIssue({
    code: 'custom',
    path: ['maximumInterval'],
    message: `expected at least initialInterval (${initial} ms), got ${maximum} ms`,
  });
}

const error = 'expected an object of retry options';

/** The spec's `retry`: what is absent comes from the worker. */
export const retrySchema = z.strictObject(fields, { error }).partial().superRefine(checkIntervals);

/** The retry policy of a callback workflow; Temporal counts attempts in 32 bits. */
export const callbackRetrySchema = z
  .strictObject(
    {
      maximumAttempts: integer(1, 2 ** 31 - 1),
      initialInterval: duration(),
      backoffCoefficient: atLeast(1),
      maximumInterval: duration(),
    },
    { error },
  )
  .partial()
  .superRefine(checkIntervals);

/** The worker's `retry`, where the defaults live. */
export const retryDefaultsSchema = z
  .strictObject(
    {
      maximumAttempts: fields.maximumAttempts.default(3),
      statuses: fields.statuses.default([408, 425, 429, 500, 502, 503, 504]),
      initialInterval: fields.initialInterval.prefault('1s'),
      backoffCoefficient: fields.backoffCoefficient.default(2),
      maximumInterval: fields.maximumInterval.prefault('1m'),
      maxRetryAfter: fields.maxRetryAfter.prefault('10m'),
    },
    { error },
  )
  .superRefine(checkIntervals);

/** One interval given alone moves the other's default out of its way. */
export function mergeRetry(
  retry: z.output<typeof retrySchema> | undefined,
  defaults: ResolvedRetry,
): ResolvedRetry {
  // Shared by all requests that say nothing.
  if (!retry) return defaults;
  const {
    initialInterval = Math.min(defaults.initialInterval, retry.maximumInterval ?? Infinity),
  } = retry;
  return {
    maximumAttempts: retry.maximumAttempts ?? defaults.maximumAttempts,
    statuses: retry.statuses ?? defaults.statuses,
    initialInterval,
    backoffCoefficient: retry.backoffCoefficient ?? defaults.backoffCoefficient,
    maximumInterval: retry.maximumInterval ?? Math.max(defaults.maximumInterval, initialInterval),
    maxRetryAfter: retry.maxRetryAfter ?? defaults.maxRetryAfter,
  };
}
