import type { RequestDefaults } from '../src/config/options.ts';
import { resolveRequest } from '../src/config/request-spec.ts';
import type { BatchInput, BatchItem } from '../src/processor/batch-task.ts';
import type { BatchChunk, BatchContext, ChunkItem } from '../src/shared/activities.ts';
import { invalidRequest, RequestError } from '../src/shared/errors.ts';
import { wireError } from '../src/shared/failure.ts';
import { failureContext, looseSpec } from '../src/shared/loose-spec.ts';
import { mergeTemplates } from '../src/shared/template.ts';
import type { RequestSpec, WireError } from '../src/shared/wire.ts';

/** The requests of a chunk; one that is wrong fails by itself, as an error in its place. */
export function resolveChunk(
  { items, defaults, keep, maxBytes }: BatchChunk,
  { requestId, batch }: BatchContext,
  options: RequestDefaults,
  scheduledAt: number,
): Pick<BatchInput, 'items' | 'line' | 'maxBytes' | 'keep'> {
  const shared = looseSpec(defaults);
  const specs = items.map(({ spec }) => withDefaults(shared, spec));
  return {
    items: items.map((item, position) =>
      resolveItem(item, specs[position], `${requestId}/${item.index}`, options, scheduledAt),
    ),
    line: batch,
    maxBytes,
    keep: (position) => (looseSpec(specs[position]).callback === undefined ? keep : 'all'),
  };
}

function resolveItem(
  { tries = 0, since }: ChunkItem,
  spec: unknown,
  requestId: string,
  defaults: RequestDefaults,
  scheduledAt: number,
): BatchItem | WireError {
  try {
    const request = resolveRequest(spec, { requestId, defaults });
    const { deadline } = request;
    const deadlineAt = deadline === undefined ? undefined : (since ?? scheduledAt) + deadline;
    return { request, tries, deadlineAt };
  } catch (error) {
    const refusal =
      error instanceof RequestError ? error : invalidRequest('spec: cannot be validated');
    return wireError(refusal, failureContext(spec, requestId));
  }
}

/** As a template's request: headers and params are merged, the rest is the request's own. */
function withDefaults(defaults: object, spec: unknown): unknown {
  if (typeof spec !== 'string' && looseSpec(spec) !== spec) return spec;
  return mergeTemplates(defaults, looseSpec(spec) as RequestSpec);
}
