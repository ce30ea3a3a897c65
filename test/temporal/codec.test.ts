import type { Payload, PayloadCodec } from '@temporalio/common';
import { expect, test } from 'vitest';
import { startEnvironment } from '../support/environment.ts';

/** Passes everything through, but for the first response it is to encode. */
class FailsOnce implements PayloadCodec {
  failures = 0;

  async encode(payloads: Payload[]): Promise<Payload[]> {
    const isResponse = payloads.some(({ data }) => Buffer.from(data!).includes('"status":200'));
    if (isResponse && this.failures++ === 0) throw new Error('the key store is away');
    return payloads;
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads;
  }
}

test('a codec that fails once costs no response in hand', async () => {
  const codec = new FailsOnce();
  await using env = await startEnvironment({ dataConverter: { payloadCodecs: [codec] } });
  const url = env.target.url('/status/200');
  const response = await env.patient.post(url, { heartbeatTimeout: '2s' });
  expect(response.status).toBe(200);
  expect(codec.failures).toBeGreaterThan(1);
  expect(env.target.total).toBe(1);
});
