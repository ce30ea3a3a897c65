import { generateKeyPairSync } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { resolveOptions } from '../../src/config/options.ts';
import { resolveRequest } from '../../src/config/request-spec.ts';
import { createTransport } from '../../src/http/transport.ts';
import { awsSigner, hmacSigner, webhookSigner } from '../../src/index.ts';
import type { Environment } from '../environment.ts';
import { cpuBetween, median, usage } from '../measure.ts';
import { ratio, type CaseResult } from '../report.ts';

const WARM_UP = 100;
const BODY = 'x'.repeat(1024);

/** A key of the Standard Webhooks specification: the 32 bytes of an ed25519 seed and its public half. */
function webhookKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
  const bytes = Buffer.concat([Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')]);
  return `whsk_${bytes.toString('base64')}`;
}

const SECRETS: Record<string, string> = {
  HMAC: 'a key of the partner',
  WEBHOOK: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
  WEBHOOK_V1A: webhookKey(),
  AWS_ID: 'AKIDEXAMPLE',
  AWS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};

const PREPROCESSORS = {
  hmac: hmacSigner({ secret: 'HMAC' }),
  'webhook v1': webhookSigner({ secret: 'WEBHOOK' }),
  'webhook v1a': webhookSigner({ secret: 'WEBHOOK_V1A' }),
  aws: awsSigner({
    ...{ service: 'execute-api', region: 'eu-central-1' },
    ...{ accessKeyId: 'AWS_ID', secretAccessKey: 'AWS_KEY' },
  }),
};

/** What a signer costs a POST of 1 KB, in the transport alone, one after the other. */
export async function signers(
  { origin }: Environment,
  { count, rounds }: { count: number; rounds: number },
): Promise<CaseResult> {
  const secrets = (name: string) => SECRETS[name];
  const options = resolveOptions({ allowPrivateAddresses: true });
  const transport = createTransport({
    ...options,
    ...{ secrets, preprocessors: PREPROCESSORS, secureContext: createSecureContext() },
  });
  const names = ['none', ...Object.keys(PREPROCESSORS)];
  const send = async (name: string, times: number): Promise<void> => {
    const spec = {
      ...{ url: `${origin}/status/200`, method: 'POST', body: BODY },
      ...(name !== 'none' && { preprocessors: [name] }),
    };
    const request = resolveRequest(spec, { requestId: 'bench', defaults: options });
    const { signal } = new AbortController();
    for (let i = 0; i < times; i++) {
      await transport.send(request, { signal, onSent() {}, onBytes() {} });
    }
  };
  const measured: { name: string; cpu: number }[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      for (const name of round % 2 ? names.toReversed() : names) {
        await send(name, WARM_UP);
        const before = usage({ gc: true });
        await send(name, count);
        measured.push({ name, cpu: (cpuBetween(before, usage({ gc: false })) / count) * 1000 });
      }
    }
  } finally {
    await transport.close();
  }
  const figure = (name: string): number =>
    median(measured.filter((each) => each.name === name).map(({ cpu }) => cpu));
  return {
    title: 'Signers, CPU µs per request in the transport',
    parameters: { requests: count, rounds },
    rows: names.map((name) => ({ system: name, 'CPU µs': figure(name) })),
    remarks: names
      .slice(1)
      .map((name) => `${name} to none: ${ratio(figure(name), figure('none'))}.`),
    rounds: measured,
  };
}
