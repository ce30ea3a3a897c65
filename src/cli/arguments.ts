import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { UsageError } from './failure.ts';

/** The bytes of an argument: its text, or with `@FILE` and `@-` what is in the file or stdin. */
export async function readBytes(flag: string, value: string): Promise<Buffer> {
  if (!value.startsWith('@')) return Buffer.from(value);
  const file = value.slice(1);
  if (file === '-') return await buffer(process.stdin);
  try {
    return await readFile(file);
  } catch (cause) {
    throw new UsageError(`${flag}: cannot read ${JSON.stringify(file)}`, { cause });
  }
}

/** @throws UsageError for what is no JSON */
export async function readJson(flag: string, value: string): Promise<unknown> {
  const text = (await readBytes(flag, value)).toString();
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const source = value.startsWith('@') ? `other text in ${value.slice(1)}` : 'other text';
    throw new UsageError(
      `${flag}: expected JSON, or @FILE with JSON, got ${source}${where(error)}`,
    );
  }
}

/** @throws UsageError for what is no JSON object */
export async function readObject(flag: string, value: string): Promise<Record<string, unknown>> {
  const json = await readJson(flag, value);
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) {
    return json as Record<string, unknown>;
  }
  const what = Array.isArray(json) ? 'an array' : json === null ? 'null' : `a ${typeof json}`;
  throw new UsageError(`${flag}: expected a JSON object, got ${what}`);
}

/** `name<separator>value` of each; a name that comes again becomes an array. */
export function readPairs(
  flag: string,
  separator: ':' | '=',
  pairs: readonly string[],
): Record<string, string | string[]> {
  const values = new Map<string, string[]>();
  for (const pair of pairs) {
    const at = pair.indexOf(separator);
    const name = pair.slice(0, Math.max(at, 0)).trim();
    // What stands behind the name can be a secret.
    if (!name) throw new UsageError(`${flag}: expected "name${separator}value", got no name`);
    const value = pair.slice(at + 1);
    const given = values.get(name) ?? [];
    values.set(name, [...given, separator === ':' ? value.trim() : value]);
  }
  return Object.fromEntries(
    [...values].map(([name, all]) => [name, all.length === 1 ? all[0]! : all]),
  );
}

/** @throws UsageError */
export function readInteger(flag: string, value: string, { min = 0, max = Infinity } = {}): number {
  const number = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
  if (number >= min && number <= max) return number;
  const range = Number.isFinite(max) ? ` from ${min} to ${max}` : '';
  throw new UsageError(`${flag}: expected an integer${range}, got ${shown(value)}`);
}

/** V8 quotes what is around it, which can be a secret. */
function where(error: unknown): string {
  const [position] = /at position \d+/.exec((error as Error).message) ?? [];
  return position === undefined ? '' : `, ${position}`;
}

const MAX_SHOWN = 60;

function shown(text: string): string {
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);
}
