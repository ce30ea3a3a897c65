import type { z } from 'zod';
import { invalidRequest } from '../shared/errors.ts';
import { headerSafe } from '../shared/request-id.ts';
import { isResendable } from '../shared/resend.ts';
import type { RequestBody, ResolvedRequest } from '../shared/resolved-request.ts';
import { resolveFlow } from './flow.ts';
import type { MultipartPart, SecretRef } from '../shared/wire.ts';
import type { RequestDefaults } from './options.ts';
import { describeKind, describeValue, formatProblems, problemsOf } from './problems.ts';
import { mergeRetry } from './retry.ts';
import { isSecretRef } from './secret-ref.ts';
import { specRules } from './spec-rules.ts';
import { requestSpecSchema } from './spec-schema.ts';

/** A valid spec: durations in ms, method in capitals, header names lower-case. */
export type CheckedSpec = z.output<typeof requestSpecSchema>;

/** Fields that can hold secrets: their values appear in no message. */
const PRIVATE = new Set<PropertyKey>([
  'url',
  'headers',
  'params',
  'body',
  'json',
  'form',
  'bodyBase64',
  'multipart',
  'idempotencyKey',
  'proxyUrl',
]);

/**
 * Validates a RequestSpec or URL string.
 * @throws RequestError `InvalidRequestError` that names every wrong field, its value and what was
 * expected, e.g. `timeout: expected milliseconds or a duration such as '30s', got -5`.
 */
export function checkSpec(spec: unknown): CheckedSpec {
  const input = typeof spec === 'string' ? { url: spec } : spec;
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw invalidRequest(`spec: expected a URL or an object, got ${describeValue(input)}`);
  }
  const parsed = requestSpecSchema.safeParse(input);
  const problems = [
    ...problemsOf(parsed.error?.issues ?? [], input, (value, [field]) =>
      field !== undefined && PRIVATE.has(field) ? describeKind(value) : describeValue(value),
    ),
    ...specRules(input as Record<string, unknown>),
  ];
  if (!parsed.success || problems.length) throw invalidRequest(formatProblems(problems, 'spec'));
  return parsed.data;
}

/** {@link checkSpec}, then every default filled in. `context.requestId` is for specs without one. */
export function resolveRequest(
  spec: unknown,
  context: { requestId: string; defaults: RequestDefaults },
): ResolvedRequest {
  const checked = checkSpec(spec);
  const { defaults } = context;
  const { method, resend, idempotencyKey: key } = checked;
  const [headers, secretHeaders] = withoutSecrets(checked.headers ?? {});
  const [params, secretParams] = withoutSecrets(checked.params ?? {});
  const requestId = checked.requestId ?? context.requestId;
  const idempotencyKey = key === true ? headerSafe(requestId) : key || undefined;
  const hasIdempotencyKey = Boolean(idempotencyKey ?? headers['idempotency-key']);
  return {
    requestId,
    url: checked.url,
    method,
    headers,
    params,
    secrets:
      secretHeaders || secretParams
        ? { headers: secretHeaders ?? {}, params: secretParams ?? {} }
        : undefined,
    preprocessors: checked.preprocessors ?? [],
    body: bodyOf(checked),
    timeout: checked.timeout ?? defaults.requestTimeout,
    connectTimeout: checked.connectTimeout ?? defaults.connectTimeout,
    firstByteTimeout: checked.firstByteTimeout,
    idleTimeout: checked.idleTimeout,
    protocol: checked.protocol,
    proxyUrl: checked.proxyUrl as string | SecretRef | null | undefined,
    maxRedirects: checked.maxRedirects ?? defaults.maxRedirects,
    allowDowngrade: checked.allowDowngrade,
    maxResponseSize: checked.maxResponseSize ?? defaults.maxResponseSize,
    raiseErrorResponses: checked.raiseErrorResponses ?? defaults.raiseErrorResponses,
    retry: mergeRetry(checked.retry, defaults.retry),
    resendable: isResendable({ method, resend, hasIdempotencyKey }),
    idempotencyKey,
    deadline: checked.deadline,
    callbackArgs: checked.callbackArgs,
    flow: resolveFlow(checked.flow),
  };
}

type Plain<T> = Exclude<T, { $secret: string }>;

/** The values, and apart from them the references, if there are any. */
function withoutSecrets<T>(
  record: Record<string, T>,
): [Record<string, Plain<T>>, Record<string, SecretRef> | undefined] {
  if (!Object.values(record).some(isSecretRef)) {
    return [record as Record<string, Plain<T>>, undefined];
  }
  const values: Record<string, Plain<T>> = {};
  const secrets: Record<string, SecretRef> = {};
  for (const [name, value] of Object.entries(record)) {
    if (isSecretRef(value)) secrets[name] = value;
    else values[name] = value as Plain<T>;
  }
  return [values, secrets];
}

function bodyOf(checked: CheckedSpec): RequestBody | undefined {
  const { body, json, form, bodyBase64, multipart } = checked;
  if (body !== undefined) return { kind: 'text', value: body };
  if (json !== undefined) return { kind: 'json', value: json };
  if (form !== undefined) return { kind: 'form', value: form };
  if (multipart !== undefined) return { kind: 'multipart', value: multipart as MultipartPart[] };
  return bodyBase64 === undefined ? undefined : { kind: 'base64', value: bodyBase64 };
}
