import type { Payload, PayloadCodec } from '@temporalio/common';
import { PayloadError } from '../shared/errors.ts';
import type { LargeJson } from '../shared/held-response.ts';
import { inTime } from '../shared/in-time.ts';

/** ms for one call of a codec of the user's, which may ask a key service that never answers. */
const PATIENCE = 60_000;

/** ms for a codec that nobody waits any longer for. */
const LAST = 5_000;

/** A codec that needs no whole of what is large, and can do without its store. */
export interface LargeCodec extends PayloadCodec {
  encodeLarge(json: LargeJson): Promise<Payload>;
  readonly withoutStore: PayloadCodec;
}

export function isLargeCodec(codec: PayloadCodec): codec is LargeCodec {
  return 'encodeLarge' in codec;
}

/** A codec that settles; ours does by itself, in the time that a large payload needs. */
export function bounded(codec: PayloadCodec): PayloadCodec {
  if (isLargeCodec(codec)) return codec;
  const { name } = codec.constructor;
  const late = (): Error => {
    return new PayloadError(`payloadCodecs: ${name} has not answered in ${PATIENCE} ms`);
  };
  return {
    encode: (payloads, context) => inTime(codec.encode(payloads, context), PATIENCE, late),
    decode: (payloads, context) => inTime(codec.decode(payloads, context), PATIENCE, late),
  };
}

/** What `encoding` gives, or `otherwise` where it gives nothing and the time is over (epoch ms). */
export async function atLast<T>(
  encoding: Promise<T>,
  lastAt: number,
  otherwise: () => T,
): Promise<T> {
  const left = Math.max(LAST, Math.min(lastAt - Date.now(), PATIENCE));
  try {
    return await inTime(encoding, left, () => new PayloadError('payloadCodecs: no answer'));
  } catch (error) {
    if (Date.now() < lastAt) throw error;
    return otherwise();
  }
}
