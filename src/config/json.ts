import { z } from 'zod';
import type { Json } from '../shared/wire.ts';
import { MAX_JSON_LEVELS } from '../shared/constants.ts';
import { describeValue, type Problem } from './problems.ts';

/** A value that comes back from JSON exactly as it went in. */
export const jsonSchema = z.unknown().transform((value, ctx): Json => {
  for (const { path, message } of lossy(value, [], new Set())) {
    ctx.addIssue({ code: 'custom', path, message });
  }
  return value as Json;
});

/** A body for `JSON.stringify`: dates and other objects with `toJSON` are welcome. */
export const jsonBodySchema = z.unknown().refine(isWritable, {
  error: 'expected a value that can be written as JSON',
});

function isWritable(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined || value === undefined;
  } catch {
    return false;
  }
}

function* lossy(value: unknown, path: PropertyKey[], parents: Set<unknown>): Generator<Problem> {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number' && Number.isFinite(value)) return;
  if (!Array.isArray(value) && !isPlainObject(value)) {
    yield { path, message: `expected a JSON value, got ${describeValue(value)}` };
  } else if (parents.has(value)) {
    yield { path, message: 'expected a JSON value, got a reference to its own parent' };
  } else if (parents.size === MAX_JSON_LEVELS) {
    yield { path, message: `expected at most ${MAX_JSON_LEVELS} levels` };
  } else {
    parents.add(value);
    const entries: Iterable<[PropertyKey, unknown]> = Array.isArray(value)
      ? value.entries()
      : Object.entries(value);
    for (const [key, item] of entries) yield* lossy(item, [...path, key], parents);
    parents.delete(value);
  }
}

/** True for objects of another realm too. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
