import { z } from 'zod';

/** Calls under way at once, each way. */
export const MAX_CALLS = 5_000;

/** What the form asks for, and its bounds. */
export const roundSchema = z.object({
  patient: whole('Patient HTTP, calls', MAX_CALLS),
  plain: whole('Plain activity, calls', MAX_CALLS),
  delay: bounded('Delay', 60),
  drift: bounded('Drift', 60),
  errors: bounded('Errors', 100),
});

export type Round = z.output<typeof roundSchema>;

export const DEFAULT_ROUND: Round = { patient: 500, plain: 500, delay: 5, drift: 2, errors: 0 };

/** A number from 0, as a form writes it. */
function bounded(name: string, most: number) {
  const error = `${name}: expected a number from 0 to ${most}`;
  return z
    .string({ error })
    .regex(/^\d{1,6}(\.\d{1,3})?$/, { error })
    .transform(Number)
    .pipe(z.number().max(most, { error }));
}

function whole(name: string, most: number) {
  return bounded(name, most).pipe(z.int({ error: `${name}: expected a whole number` }));
}

/** The target's path and query for the calls of a round. */
export function slowPath({ delay, drift, errors }: Round): string {
  const query = new URLSearchParams({
    delay: String(delay * 1000),
    drift: String(drift * 1000),
    errors: String(errors),
  });
  return `/slow?${query}`;
}
