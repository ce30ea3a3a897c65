import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';

const { Payload: Message } = proto.temporal.api.common.v1;

/** One step of the way to Temporal and back; `unwrap` leaves alone what `wrap` did not make. */
export interface Step {
  wrap(payload: Payload): Payload | Promise<Payload>;
  unwrap(payload: Payload): Payload | Promise<Payload>;
}

/** The serialized message, as every wrapped payload holds the one within. */
export function toBytes(payload: Payload): Uint8Array {
  return Message.encode(payload).finish();
}

/** Its data is a view of `bytes`. */
export function fromBytes(bytes: Uint8Array): Payload {
  const { metadata, data, externalPayloads } = Message.decode(bytes);
  return { metadata, data, ...(externalPayloads.length > 0 && { externalPayloads }) };
}

/** A value of the metadata as text. */
export function textOf({ metadata }: Payload, name: string): string | undefined {
  const value = metadata?.[name];
  return value && Buffer.from(value).toString();
}

export function payloadOf(metadata: Record<string, string>, data: Uint8Array): Payload {
  const entries = Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value)]);
  return { metadata: Object.fromEntries(entries), data };
}
