import { MAX_PAYLOAD_BYTES } from './constants.ts';
import { invalidRequest } from './errors.ts';
import { jsonBytes } from './text.ts';

/** Room for the envelopes of workflow, activity and callback arguments. */
const RESERVE = 16 * 1024;
const MAX_SPEC_BYTES = MAX_PAYLOAD_BYTES - RESERVE;

/**
 * Temporal fails the whole workflow for an argument above its limit, and so does an argument that
 * cannot be written at all; this fails the request.
 * @throws RequestError `InvalidRequestError`
 */
export function checkSize(spec: unknown): void {
  let size: number;
  try {
    size = jsonBytes(spec);
  } catch {
    throw invalidRequest('spec: expected a value that can be written as JSON');
  }
  if (size > MAX_SPEC_BYTES) {
    throw invalidRequest(`spec: expected at most ${MAX_SPEC_BYTES} bytes of JSON, got ${size}`);
  }
}

/** Whether a part of a spec can be handed on beside an error. */
export function fits(value: unknown): boolean {
  return jsonBytes(value) <= MAX_SPEC_BYTES;
}
