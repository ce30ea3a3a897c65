import { z } from 'zod';
import type { FlowLimits } from '../shared/flow-limits.ts';
import { visible } from './fields.ts';
import { keyLimits } from './flow.ts';
import { ConfigError } from './options.ts';
import { formatProblems, problemsOf } from './problems.ts';

const changeSchema = z.strictObject({ key: visible(), limits: keyLimits });

/**
 * Limits of a key, as they are set at run time.
 * @throws ConfigError that names what is wrong
 */
export function checkFlowChange(key: string, limits: unknown): FlowLimits {
  const input = { key, limits };
  const parsed = changeSchema.safeParse(input);
  if (parsed.success) return parsed.data.limits;
  throw new ConfigError(formatProblems(problemsOf(parsed.error.issues, input), 'limits'));
}
