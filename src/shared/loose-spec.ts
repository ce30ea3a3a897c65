import type { Method } from './constants.ts';
import { invalidRequest, type FailureContext } from './errors.ts';
import type { RequestSpec } from './wire.ts';

/**
 * A spec before its validation, as far as it is read until then. Every field can be anything, and
 * a wrong one is left for the validation to name.
 */
export type LooseSpec = { [Field in keyof RequestSpec]?: unknown };

export function looseSpec(spec: unknown): LooseSpec {
  if (typeof spec === 'string') return { url: spec };
  return typeof spec === 'object' && spec !== null && !Array.isArray(spec) ? spec : {};
}

/**
 * Sets the method of a method's own workflow or function.
 * @throws RequestError `InvalidRequestError` for a spec of another method
 */
export function withMethod(spec: unknown, method: Method, name: string): unknown {
  if (typeof spec === 'string') return { url: spec, method };
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) return spec;
  const given = (spec as LooseSpec).method;
  if (given === undefined) return { ...spec, method };
  if (typeof given !== 'string') return spec;
  if (given.toUpperCase() === method) return { ...spec, method };
  throw invalidRequest(`method: ${name} sends ${method}, got ${JSON.stringify(given)}`);
}

/** URL and method for a message: those of the spec where they are text. */
export function describeSpec(spec: unknown): { url: string; method: string } {
  const { url, method } = looseSpec(spec);
  return {
    url: typeof url === 'string' ? url : '',
    method: typeof method === 'string' ? method.toUpperCase() : 'GET',
  };
}

/** Of a request that fails before its first try. */
export function failureContext(spec: unknown, requestId: string): FailureContext {
  return { ...describeSpec(spec), requestId, durationMs: 0, attempt: 1 };
}
