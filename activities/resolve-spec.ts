import { finalFailure } from '../src/completion/failure.ts';
import type { RequestDefaults } from '../src/config/options.ts';
import { resolveRequest } from '../src/config/request-spec.ts';
import type { SubmitContext } from '../src/shared/activities.ts';
import { invalidRequest, RequestError } from '../src/shared/errors.ts';
import { wireError } from '../src/shared/failure.ts';
import { failureContext } from '../src/shared/loose-spec.ts';
import type { ResolvedRequest } from '../src/shared/resolved-request.ts';
import type { WireError } from '../src/shared/wire.ts';

/** The request of a spec, or what is wrong with it. */
export function resolveSpec(
  spec: unknown,
  { requestId }: SubmitContext,
  defaults: RequestDefaults,
): { request: ResolvedRequest } | { refusal: WireError } {
  try {
    return { request: resolveRequest(spec, { requestId, defaults }) };
  } catch (error) {
    // A spec that the validation stumbles over would be retried for ever.
    const refusal =
      error instanceof RequestError
        ? error
        : invalidRequest(`spec: expected one that can be validated, got ${nameOf(error)}`);
    return { refusal: wireError(refusal, failureContext(spec, requestId)) };
  }
}

/** @throws ApplicationFailure, final, for a spec that is wrong */
export function validateSpec(
  spec: unknown,
  context: SubmitContext,
  defaults: RequestDefaults,
): ResolvedRequest {
  const resolved = resolveSpec(spec, context, defaults);
  if ('refusal' in resolved) throw finalFailure(resolved.refusal);
  return resolved.request;
}

/** Its message could quote what is secret. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'an error';
}
