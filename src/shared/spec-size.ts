import { MAX_PAYLOAD_BYTES } from './constants.ts';
import { invalidRequest } from './errors.ts';
import { jsonBytes } from './text.ts';

/** Room for the envelopes of workflow, activity and callback arguments. */
const RESERVE = 16 * 1024;
const MAX_SPEC_BYTES = MAX_PAYLOAD_BYTES - RESERVE;
/**
 * They come back twice, in the callback's argument and in its response: what they take, a response
 * that was paid for could not.
 */
const MAX_CALLBACK_ARGS_BYTES = 256 * 1024;

/**
 * Temporal fails the whole workflow for an argument above its limit, and so does an argument that
 * cannot be written at all; this fails the request.
 * @throws RequestError `InvalidRequestError`
 */
export function checkSize(spec: unknown): void {
  checkBytes('spec', spec, MAX_SPEC_BYTES);
  const { callbackArgs } = Object(spec) as { callbackArgs?: unknown };
  checkBytes('callbackArgs', callbackArgs, MAX_CALLBACK_ARGS_BYTES);
}

function checkBytes(field: string, value: unknown, limit: number): void {
  let size: number;
  try {
    size = jsonBytes(value);
  } catch {
    throw invalidRequest(`${field}: expected a value that can be written as JSON`);
  }
  if (size > limit) {
    throw invalidRequest(`${field}: expected at most ${limit} bytes of JSON, got ${size}`);
  }
}

/** Whether a part of a spec can be handed on beside an error. */
export function fits(value: unknown): boolean {
  return jsonBytes(value) <= MAX_SPEC_BYTES;
}
