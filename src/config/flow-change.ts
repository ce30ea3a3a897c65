import { z } from 'zod';
import { ConfigError } from '../shared/errors.ts';
import type { FlowLimits } from '../shared/flow-limits.ts';
import { visible } from './fields.ts';
import { changedLimits } from './flow.ts';
import { formatProblems, problemsOf } from './problems.ts';

const changeSchema = z.strictObject({ key: visible(), limits: changedLimits });

/**
 * Limits of a key, as they are changed at run time; whether they go with what it has, who sets them knows.
 * @throws ConfigError that names what is wrong
 */
export function checkFlowChange(key: string, limits: unknown): FlowLimits {
  const input = { key, limits };
  const parsed = changeSchema.safeParse(input);
  if (parsed.success) return parsed.data.limits;
  throw new ConfigError(formatProblems(problemsOf(parsed.error.issues, input), 'limits'));
}

/** Typed limits as the schema wants them; what is no number stays text, for the schema to refuse. */
export function typedLimits(texts: Record<string, string>): Record<string, unknown> {
  const limits = Object.entries(texts).map(([name, text]) => {
    const number = name === 'period' || text.trim() === '' ? NaN : Number(text);
    return [name, Number.isNaN(number) ? text : number] as const;
  });
  return Object.fromEntries(limits);
}
