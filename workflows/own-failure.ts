import { RequestError, type FailureContext } from '../src/shared/errors.ts';
import { toFailure } from './failure.ts';
import { belongsToSdk } from './sdk-errors.ts';

/** What the workflow may fail with. Whatever is not of the SDK ends it too, and never blocks it. */
export function ownFailure(error: unknown, context: FailureContext): unknown {
  if (belongsToSdk(error)) return error;
  const known = error instanceof RequestError ? error : unknownError(error);
  return toFailure(known, context);
}

export function unknownError(cause: unknown): RequestError {
  return new RequestError('UnknownError', String(cause), { phase: 'queued', cause });
}
