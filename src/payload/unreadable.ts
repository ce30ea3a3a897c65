import {
  defaultPayloadConverter,
  type DataConverter,
  type Payload,
  type SerializationContext,
} from '@temporalio/common';
import type { AttemptProgress } from '../shared/attempt.ts';
import { UNREAD_METADATA } from '../shared/constants.ts';
import { PayloadError } from '../shared/errors.ts';
import { toJson } from '../shared/json-payload.ts';
import type { Log } from '../shared/log.ts';
import { markUnreadable } from '../shared/unreadable.ts';
import { codecOf, PatientCodec, type HoldingCodec } from './patient-codec.ts';
import { textOf } from './payload.ts';

/** Bytes: an attempt's details are some hundred. */
const MAX_RESENT = 4096;

/**
 * For the worker that takes requests. The SDK fails an attempt whose payloads do not decode before any
 * code of ours runs, and it would count as a crash. So what cannot be read here becomes a value that
 * says why, and the activity gives the attempt back.
 */
export function withUnreadable(converter: DataConverter, log: Log): DataConverter {
  const { payloadCodecs: codecs = [], payloadConverterPath } = converter;
  const isOurs = !payloadConverterPath && codecs.every((codec) => codec instanceof PatientCodec);
  const read = async (payload: Payload, context?: SerializationContext): Promise<Payload> => {
    const unread = Number(textOf(payload, UNREAD_METADATA) ?? 0);
    try {
      let read = [payload];
      for (const codec of codecs.toReversed()) read = await codec.decode(read, context);
      return unread > 0 ? counted(read[0]!, unread) : read[0]!;
    } catch (error) {
      const isResent = isOurs && (payload.data?.length ?? 0) <= MAX_RESENT;
      const message = error instanceof PayloadError ? error.message : 'the worker log says why';
      if (!(error instanceof PayloadError)) log.error('A payload cannot be decoded', { error });
      return defaultPayloadConverter.toPayload(
        markUnreadable({ message, unread, ...(isResent && { payload: toJson(payload) }) }),
      );
    }
  };
  const reading: HoldingCodec = {
    held: codecOf(converter),
    async encode(payloads, context) {
      let encoded = payloads;
      for (const codec of codecs) encoded = await codec.encode(encoded, context);
      return encoded;
    },
    decode: (payloads, context) => Promise.all(payloads.map((payload) => read(payload, context))),
  };
  return { ...converter, payloadCodecs: [reading] };
}

/** The details of an attempt, with those that could not read them. */
function counted(payload: Payload, unread: number): Payload {
  const details = defaultPayloadConverter.fromPayload<AttemptProgress>(payload);
  return defaultPayloadConverter.toPayload({
    ...details,
    returns: details.returns + unread,
    unread: (details.unread ?? 0) + unread,
  });
}
