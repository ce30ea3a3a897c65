import { z } from 'zod';
import {
  DEFAULT_PERIOD,
  LONGEST_INTERVAL,
  MAX_UNITS,
  type FlowLimits,
  type ResolvedFlow,
} from '../shared/flow-limits.ts';
import { atLeast, duration, integer, positive, visible } from './fields.ts';

/** RFC 6901 §3. */
const POINTER = /^(\/([^~/]|~[01])*)*$/;

const units = () => positive().max(MAX_UNITS, { error: `expected at most ${MAX_UNITS}` });

const limits = {
  rate: units().describe('Units per `period` that may go; a request is one unit, or its `cost`.'),
  period: duration().describe('What `rate` is counted by; 1 s without it.'),
  burst: atLeast(1).describe('Units that may go at once after a pause; 1 without it: evenly.'),
  concurrency: integer(1).describe('Requests in flight at once.'),
};

const cost = z.union(
  [
    units(),
    z.strictObject({
      estimate: units(),
      pointer: z
        .string({ error: 'expected a JSON pointer' })
        .max(255, { error: 'expected at most 255 characters' })
        .regex(POINTER, { error: "expected a JSON pointer such as '/usage/total_tokens'" }),
    }),
  ],
  { error: 'expected a number or { estimate, pointer }' },
);

/** `flow` of a spec. */
export const flowSchema = z
  .strictObject(
    {
      key: visible().describe(
        'Requests with the same key share its limits; never a secret. Without it the host.',
      ),
      ...limits,
      cost: cost.describe(
        'Units taken from `rate`: a number, or `{ estimate, pointer }` to settle it by a number in ' +
          'the JSON response, such as `/usage/total_tokens`.',
      ),
    },
    { error: 'expected { key, rate, period, burst, concurrency, cost }' },
  )
  .partial()
  .superRefine(refineRate)
  .meta({ dependentRequired: { period: ['rate'], burst: ['rate'] } });

const breaker = z.strictObject(
  { failures: integer(1), openFor: duration() },
  { error: 'expected { failures, openFor }' },
);

/** Of one key, as they are changed at run time: each by itself, for the rest stays as it is. */
export const changedLimits = z
  .strictObject(
    { ...limits, breaker },
    { error: 'expected { rate, period, burst, concurrency, breaker }' },
  )
  .partial();

/** Of one key, in the worker's options. */
const keyLimits = changedLimits.superRefine(refineRate).transform(withPeriod);

/** `flow` of the worker's options: limits by key. */
export const flowLimitsSchema = z.record(visible(), keyLimits, {
  error: 'expected an object of keys and their limits',
});

export function resolveFlow(
  flow: z.output<typeof flowSchema> | undefined,
): ResolvedFlow | undefined {
  if (!flow) return undefined;
  const { key, cost: given = 1, ...own } = flow;
  const [cost, pointer] =
    typeof given === 'number' ? [given, undefined] : [given.estimate, given.pointer];
  return { key, limits: withPeriod(own), cost, pointer };
}

/** Only what is given: the rest must not hide what another source says. */
function withPeriod(own: FlowLimits): FlowLimits {
  const given = Object.entries(own).filter(([, value]) => value !== undefined);
  const period = own.rate === undefined ? undefined : (own.period ?? DEFAULT_PERIOD);
  return { ...Object.fromEntries(given), ...(period !== undefined && { period }) };
}

function refineRate(
  { rate, period, burst }: Pick<FlowLimits, 'rate' | 'period' | 'burst'>,
  ctx: z.RefinementCtx,
): void {
  if (ctx.issues.length > 0) return;
  for (const [name, value] of Object.entries({ period, burst })) {
    if (value === undefined || rate !== undefined) continue;
    ctx.addIssue({ code: 'custom', path: [name], message: 'expected a rate beside it' });
  }
  if (rate !== undefined && (period ?? DEFAULT_PERIOD) / rate > LONGEST_INTERVAL) {
    const message = 'expected at least one unit in 24.8 days';
    ctx.addIssue({ code: 'custom', path: ['rate'], message });
  }
}
