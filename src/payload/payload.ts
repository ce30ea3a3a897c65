import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { bytesOf, Frame, gather, type Bytes } from './bytes.ts';

const { Payload: Message } = proto.temporal.api.common.v1;

/** A payload on its way out: its data may be too large to be had twice. */
export interface Draft {
  metadata: NonNullable<Payload['metadata']>;
  data: Bytes;
  externalPayloads?: Payload['externalPayloads'];
}

/** One step of the way to Temporal and back; `unwrap` leaves alone what `wrap` did not make. */
export interface Step {
  wrap(draft: Draft): Draft | Promise<Draft>;
  unwrap(payload: Payload): Payload | Promise<Payload>;
}

/** Of the message's field `data`: its number and that its length follows. */
const DATA = 0x12;

export function draftOf({ metadata, data, externalPayloads }: Payload): Draft {
  return {
    metadata: metadata ?? {},
    data: bytesOf(data ?? new Uint8Array()),
    ...(externalPayloads?.length && { externalPayloads }),
  };
}

export async function payloadFrom({ metadata, data, externalPayloads }: Draft): Promise<Payload> {
  const bytes = await gather(data);
  return {
    metadata,
    // A view of a frame would keep all of its room.
    data: data instanceof Frame ? bytes.slice() : bytes,
    ...(externalPayloads && { externalPayloads }),
  };
}

/** The serialized message, as every wrapped payload holds the one within. */
export function messageOf({ metadata, data, externalPayloads }: Draft): Bytes {
  const before = headOf(metadata, data.length);
  const after = externalPayloads ? Message.encode({ externalPayloads }).finish() : undefined;
  const framed = data instanceof Frame && data.within(before, after);
  if (framed) return framed;
  return {
    length: before.length + data.length + (after?.length ?? 0),
    *pieces() {
      yield before;
      yield* data.pieces();
      if (after) yield after;
    },
  };
}

/** All that comes before the data itself. */
function headOf(metadata: Draft['metadata'], length: number): Uint8Array {
  const head = [...Message.encode({ metadata }).finish(), DATA];
  let rest = length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) head.push((rest & 0x7f) | 0x80);
  return Uint8Array.from([...head, rest]);
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

export function metadataOf(texts: Record<string, string>): Draft['metadata'] {
  const entries = Object.entries(texts).map(([name, value]) => [name, Buffer.from(value)]);
  return Object.fromEntries(entries);
}
