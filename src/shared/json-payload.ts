/** A payload as JSON (proto3): what is bytes is base64. */
export interface JsonPayload {
  metadata: Record<string, string>;
  data: string;
  /** Of what Temporal's SDK has put elsewhere. */
  externalPayloads?: { sizeBytes: string }[];
}

interface Payload {
  metadata?: Record<string, Uint8Array> | null;
  data?: Uint8Array | null;
  externalPayloads?: { sizeBytes?: { toString(): string } | null }[] | null;
}

/** Not for workflow code, which has no `Buffer`; nor is `fromJson`. */
export function toJson({ metadata, data, externalPayloads }: Payload): JsonPayload {
  const entries = Object.entries(metadata ?? {});
  return {
    metadata: Object.fromEntries(entries.map(([name, value]) => [name, toBase64(value)])),
    data: toBase64(data ?? new Uint8Array()),
    ...(externalPayloads?.length && {
      externalPayloads: externalPayloads.map(({ sizeBytes }) => ({
        sizeBytes: `${sizeBytes ?? 0}`,
      })),
    }),
  };
}

export function fromJson({ metadata = {}, data = '', externalPayloads }: Partial<JsonPayload>): {
  metadata: Record<string, Uint8Array>;
  data: Uint8Array;
  externalPayloads?: { sizeBytes: never }[];
} {
  const entries = Object.entries(metadata);
  return {
    metadata: Object.fromEntries(entries.map(([name, value]) => [name, fromBase64(value)])),
    data: fromBase64(data),
    ...(externalPayloads && {
      // Its messages take a number too, which their types do not say.
      externalPayloads: externalPayloads.map(({ sizeBytes }) => ({
        sizeBytes: Number(sizeBytes) as never,
      })),
    }),
  };
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function fromBase64(text: string): Uint8Array {
  return Buffer.from(text, 'base64');
}
