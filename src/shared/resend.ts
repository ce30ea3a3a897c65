import type { Method } from './constants.ts';
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
