import { randomBytes } from 'node:crypto';
import { defaultPayloadConverter } from '@temporalio/common';
import type { ResolvedOptions } from '../../config/options.ts';
import { PatientCodec } from '../../payload/patient-codec.ts';
import { describeFailure } from '../failure.ts';
import { ok, problem, type Check } from './check.ts';

/** A small payload there and back, through keys and store as the largest would go. */
export async function checkCodec(options: ResolvedOptions): Promise<Check> {
  const { encryptionKeys, payloadStore, compress } = options;
  const parts = [
    ...(compress ? ['compression'] : []),
    ...(encryptionKeys.length > 0 ? [`encryption by key ${encryptionKeys[0]!.id}`] : []),
    ...(payloadStore === undefined ? [] : [`store ${storeName(payloadStore)}`]),
  ];
  if (parts.length === 0) return ok('codec', 'none');
  const message = parts.join(', ');
  try {
    const codec = new PatientCodec({ ...options, payloadThreshold: 1 });
    await codec.check('write');
    const sent = randomBytes(16).toString('hex');
    const encoded = await codec.encode([defaultPayloadConverter.toPayload(sent)]);
    const [decoded] = await codec.decode(encoded);
    if (defaultPayloadConverter.fromPayload(decoded!) === sent) return ok('codec', message);
    throw new Error('what comes back is not what was stored');
  } catch (error) {
    const fix = 'correct PATIENT_PAYLOAD_STORE or the rights of this process';
    return problem('codec', `${message}: ${describeFailure(error)}`, fix);
  }
}

/** Without credentials. */
function storeName(store: NonNullable<ResolvedOptions['payloadStore']>): string {
  if (typeof store !== 'string') return store.name;
  const { protocol, host, pathname } = new URL(store);
  return `${protocol}//${host}${pathname}`;
}
