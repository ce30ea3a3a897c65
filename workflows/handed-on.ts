import { RawValue } from '@temporalio/common';
import { ENCODED_PAYLOAD } from '../src/shared/constants.ts';
import type { JsonPayload } from '../src/shared/json-payload.ts';

/** A result or argument that this workflow has not looked into: the codec of its worker sends it as it is. */
export function handedOn(payload: JsonPayload): RawValue {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  return RawValue.fromPayload({
    metadata: { encoding: bytes(ENCODED_PAYLOAD) },
    data: bytes(JSON.stringify(payload)),
  });
}
