import type { Method } from './constants.ts';
import { describeSpec, type LooseSpec } from './loose-spec.ts';
import type { Resend } from './wire.ts';

const IDEMPOTENT: readonly Method[] = ['GET', 'HEAD', 'PUT', 'DELETE'];

/** Whether a request whose first byte may have gone out can be sent again. */
export function isResendable(request: {
  method: Method;
  resend: Resend;
  hasIdempotencyKey: boolean;
}): boolean {
  if (request.resend !== 'auto') return request.resend === 'always';
  return request.hasIdempotencyKey || IDEMPOTENT.includes(request.method);
}

/** The same of a request that is not validated here. */
export function isSpecResendable(spec: LooseSpec): boolean {
  const { resend = 'auto', idempotencyKey, headers } = spec;
  const hasIdempotencyKey =
    Boolean(idempotencyKey) ||
    Object.keys(headers ?? {}).some((name) => name.toLowerCase() === 'idempotency-key');
  const method = describeSpec(spec).method as Method;
  return isResendable({ method, resend: resend as Resend, hasIdempotencyKey });
}
