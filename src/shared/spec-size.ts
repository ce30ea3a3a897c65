import { MAX_JSON_LEVELS, MAX_PAYLOAD_BYTES } from './constants.ts';
import { invalidRequest } from './errors.ts';
import { jsonBytes } from './text.ts';

/** Room for the envelopes of workflow, activity and callback arguments. */
const RESERVE = 16 * 1024;
const MAX_SPEC_BYTES = MAX_PAYLOAD_BYTES - RESERVE;
/**
 * They come back twice, in the callback's argument and in its response: what they take, a response
 * that was paid for could not.
 */
export const MAX_CALLBACK_ARGS_BYTES = 256 * 1024;

/**
 * Temporal fails the whole workflow for an argument above its limit, and so does an argument that
 * cannot be written at all; this fails the request. `beside`: bytes of what it goes along with.
 * @throws RequestError `InvalidRequestError`
 */
export function checkSize(spec: unknown, beside = 0): void {
  checkBytes('spec', spec, MAX_SPEC_BYTES - beside);
  checkCallbackArgs(Object(spec) as { callbackArgs?: unknown });
}

/** @throws RequestError `InvalidRequestError` */
export function checkCallbackArgs({ callbackArgs }: { callbackArgs?: unknown }): void {
  checkBytes('callbackArgs', callbackArgs, MAX_CALLBACK_ARGS_BYTES);
}

/** @throws RequestError `InvalidRequestError` that names the field and its size */
export function checkBytes(field: string, value: unknown, limit: number): void {
  const size = sizeOf(value);
  if (size === undefined) {
    throw invalidRequest(`${field}: expected a value that can be written as JSON`);
  }
  if (size > limit) {
    throw invalidRequest(`${field}: expected at most ${limit} bytes of JSON, got ${size}`);
  }
}

/** Undefined for what cannot be written as JSON, such as a value of thousands of levels. */
export function sizeOf(value: unknown): number | undefined {
  try {
    return jsonBytes(value);
  } catch {
    return undefined;
  }
}

/**
 * Whether a part of a spec can be handed on beside an error. What is nested too deep is not left
 * to chance: it would be written once more, inside other values and on another stack.
 */
export function fits(value: unknown): boolean {
  return isWithin(value, MAX_JSON_LEVELS) && (sizeOf(value) ?? Infinity) <= MAX_SPEC_BYTES;
}

function isWithin(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((item) => isWithin(item, levels - 1));
}
