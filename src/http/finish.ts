import { invalidRequest } from '../shared/errors.ts';
import { isHeaderValue } from '../shared/header-rules.ts';
import { isProxyUrl } from '../shared/proxy-url.ts';
import type { SecretRef } from '../shared/wire.ts';
import { appendParams } from './prepare.ts';
import type { PreparedRequest } from './prepare.ts';
import { findPreprocessors, preprocess, type Preprocessors } from './preprocessors.ts';
import type { Secrets } from './secrets.ts';

/**
 * The request with its secrets put in and its preprocessors run. It is what goes on the wire and
 * nothing else: what is shown, and what a redirect starts from, is the request it is made of.
 */
export async function finishRequest(
  request: PreparedRequest,
  secrets: Secrets,
  preprocessors: Preprocessors,
): Promise<PreparedRequest> {
  // Before anybody is asked for a secret.
  const steps = findPreprocessors(request.preprocessors, preprocessors);
  const whole = request.secrets ? await withSecrets(request, request.secrets, secrets) : request;
  return preprocess(whole, steps, { secret: (name) => secrets.value(name) });
}

/** A proxy whose URL is a secret. What of its credentials could come back is hidden too. */
export async function resolveProxyUrl(ref: SecretRef, secrets: Secrets): Promise<string> {
  const { $secret: name } = ref;
  const text = await secrets.resolve(ref);
  if (!isProxyUrl(text)) {
    throw invalidRequest(`proxyUrl: secret ${name} is no http:// or https:// URL of a proxy`);
  }
  secrets.hideUserinfo(name, new URL(text));
  return text;
}

async function withSecrets(
  request: PreparedRequest,
  refs: NonNullable<PreparedRequest['secrets']>,
  secrets: Secrets,
): Promise<PreparedRequest> {
  const [headers, params] = await Promise.all([
    resolveAll(refs.headers, secrets),
    resolveAll(refs.params, secrets),
  ]);
  for (const [name, value] of Object.entries(headers)) {
    if (isHeaderValue(value)) continue;
    const secret = refs.headers[name]!.$secret;
    throw invalidRequest(
      `headers.${name}: secret ${secret} has a line break, control or non-Latin-1 character`,
    );
  }
  return {
    ...request,
    url: appendParams(new URL(request.url), params),
    headers: { ...request.headers, ...headers },
  };
}

async function resolveAll(
  refs: Readonly<Record<string, SecretRef>>,
  secrets: Secrets,
): Promise<Record<string, string>> {
  const entries = Object.entries(refs).map(async ([name, ref]) => [
    name,
    await secrets.resolve(ref),
  ]);
  return Object.fromEntries(await Promise.all(entries)) as Record<string, string>;
}
