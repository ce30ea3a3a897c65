import { ConfigError } from '../shared/errors.ts';
import { describeKind, formatProblems, type Problem } from './problems.ts';

/**
 * The options that only code can give, which no schema describes.
 * @throws ConfigError
 */
export function checkFunctions<S, P extends object>(options: {
  secrets: S | undefined;
  preprocessors: P | undefined;
}): { secrets?: S; preprocessors?: P } {
  const { secrets, preprocessors } = options;
  const problems: Problem[] = [];
  const check = (path: PropertyKey[], value: unknown): void => {
    if (typeof value === 'function') return;
    problems.push({ path, message: `expected a function, got ${describeKind(value)}` });
  };
  if (secrets !== undefined) check(['secrets'], secrets);
  for (const [name, value] of Object.entries(preprocessors ?? {})) {
    check(['preprocessors', name], value);
  }
  if (problems.length) throw new ConfigError(formatProblems(problems, 'options'));
  return { ...(secrets !== undefined && { secrets }), ...(preprocessors && { preprocessors }) };
}
