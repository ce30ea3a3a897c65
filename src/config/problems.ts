import type { z } from 'zod';

/** One thing wrong with an input. */
export interface Problem {
  path: PropertyKey[];
  message: string;
}

type Issue = z.core.$ZodIssue;

const MAX_VALUE = 100;
const MAX_PROBLEMS = 20;

/**
 * What zod found wrong, in words that name the value. House rule for the schemas' own messages:
 * those that start with "expected" and do not say what they got have it appended.
 */
export function problemsOf(
  issues: readonly Issue[],
  input: unknown,
  describe: (value: unknown, path: PropertyKey[]) => string = describeValue,
): Problem[] {
  return issues.flatMap((issue): Problem[] => {
    const { path } = issue;
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...path, key], message: 'unknown field' }));
    }
    if (issue.code === 'invalid_key') return [keyProblem(issue)];
    const branch = issue.code === 'invalid_union' && meantBranch(issue.errors);
    if (branch) {
      const nested = branch.map((sub) => ({ ...sub, path: [...path, ...sub.path] }));
      return problemsOf(nested, input, describe);
    }
    const { message } = issue;
    if (!message.startsWith('expected') || message.includes(', got ')) return [{ path, message }];
    return [{ path, message: `${message}, got ${describe(valueAt(input, path), path)}` }];
  });
}

/** `retry.statuses[0]: expected …; url: expected …` */
export function formatProblems(problems: readonly Problem[], root: string): string {
  const shown = problems.slice(0, MAX_PROBLEMS).map(({ path, message }) => {
    return `${formatPath(path) || root}: ${message}`;
  });
  const hidden = problems.length - shown.length;
  return [...shown, ...(hidden > 0 ? [`and ${hidden} more`] : [])].join('; ');
}

export function formatPath(path: readonly PropertyKey[]): string {
  const text = path.reduce<string>((parent, part) => {
    if (typeof part === 'number') return `${parent}[${part}]`;
    return parent ? `${parent}.${String(part)}` : String(part);
  }, '');
  return cut(text);
}

/** A value for an error message: short, one line, nothing of what an object holds. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return cut(JSON.stringify(value));
  if (typeof value === 'bigint') return cut(`${value}n`);
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return 'an array';
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== 'Object' && name ? `a ${cut(name)}` : 'an object';
}

/** For fields whose value can be a secret: only what kind of value it is. */
export function describeKind(value: unknown): string {
  if (typeof value === 'string') {
    return value === '' ? 'an empty string' : `a string of ${value.length} characters`;
  }
  const isNumber = typeof value === 'bigint' || Number.isFinite(value);
  return isNumber ? `a ${typeof value}` : describeValue(value);
}

/**
 * The branch of a union that the value was meant for: the one with the fewest problems among
 * those that at least accept its kind.
 */
function meantBranch(branches: readonly Issue[][]): Issue[] | undefined {
  return branches
    .filter((issues) => !issues.some(isWrongKind))
    .sort((a, b) => problemCount(a) - problemCount(b))[0];
}

function isWrongKind({ code, path }: Issue): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_union');
}

function problemCount(issues: readonly Issue[]): number {
  return issues.reduce((sum, issue) => {
    return sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1);
  }, 0);
}

/** Names the parent and only the key's first word: people do paste whole header lines. */
function keyProblem(issue: z.core.$ZodIssueInvalidElement | z.core.$ZodIssueInvalidKey): Problem {
  const key = String(issue.path.at(-1));
  const word = /^[\w-]*/.exec(key)![0];
  const message = issue.issues[0]?.message ?? issue.message;
  if (!message.startsWith('expected')) return { path: issue.path, message };
  const got = word === key ? word : `${word}…`;
  return { path: issue.path.slice(0, -1), message: `${message}, got ${JSON.stringify(cut(got))}` };
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, part) => {
    return value === null || value === undefined ? undefined : Object(value)[part];
  }, input);
}

function cut(text: string): string {
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}
