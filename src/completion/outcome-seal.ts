import type { OutcomeSeal } from '../liveness/port.ts';
import type { Settled } from '../shared/wire.ts';
import type { ActivityRpc, Payloads } from './activity-rpc.ts';

/** A payload as JSON: what is bytes is base64. */
interface SealedPayload {
  metadata: Record<string, string>;
  data: string;
}

/** Kept outcomes as the data converter and its codecs make payloads of them. */
export function createOutcomeSeal(rpc: Pick<ActivityRpc, 'encode' | 'decode'>): OutcomeSeal {
  return {
    async seal(key, settled) {
      return JSON.stringify((await rpc.encode(key, settled)).map(toSealed));
    },
    async open(key, sealed) {
      const payloads = (JSON.parse(sealed) as SealedPayload[]).map(fromSealed);
      return (await rpc.decode(key, payloads)) as Settled;
    },
  };
}

function toSealed({ metadata, data }: Payloads[number]): SealedPayload {
  const entries = Object.entries(metadata ?? {});
  return {
    metadata: Object.fromEntries(entries.map(([name, value]) => [name, toBase64(value)])),
    data: toBase64(data ?? new Uint8Array()),
  };
}

function fromSealed({ metadata, data }: SealedPayload): Payloads[number] {
  const entries = Object.entries(metadata);
  return {
    metadata: Object.fromEntries(entries.map(([name, value]) => [name, fromBase64(value)])),
    data: fromBase64(data),
  };
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function fromBase64(text: string): Uint8Array {
  return Buffer.from(text, 'base64');
}
