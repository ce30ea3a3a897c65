import { jsonBytes } from './text.ts';

const MAX_VALUE = 100;

/** A value as an error names it. */
export function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return jsonBytes(text) > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
