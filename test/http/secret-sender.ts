import { onTestFinished } from 'vitest';
import type { SecretSource } from '../../src/http/secret-source.ts';
import type { RequestSecrets } from '../../src/shared/resolved-request.ts';
import { Sender } from './support.ts';

export const KEY = 'sk_live/q7+R&"9=z';
const known: Record<string, string> = { KEY, PASSWORD: 'open sesame', OTHER: 'sk_live/q7+R' };
export const secrets: SecretSource = (name) => known[name];

export function senderWith(source: SecretSource = secrets): Sender {
  const sender = new Sender({ secrets: source });
  onTestFinished(() => sender[Symbol.asyncDispose]());
  return sender;
}

export function refs(given: Partial<RequestSecrets>): { secrets: RequestSecrets } {
  return { secrets: { headers: {}, params: {}, ...given } };
}

export const bearer = refs({ headers: { authorization: { $secret: 'KEY', prefix: 'Bearer ' } } });
