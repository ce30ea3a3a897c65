import type { RequestDefaults } from '../src/config/options.ts';
import type { BatchInput, BatchItem } from '../src/processor/batch-task.ts';
import type { BatchChunk, BatchContext, ChunkItem } from '../src/shared/activities.ts';
import { looseSpec } from '../src/shared/loose-spec.ts';
import { mergeTemplates } from '../src/shared/template.ts';
import type { RequestSpec, WireError } from '../src/shared/wire.ts';
import { resolveSpec } from './resolve-spec.ts';

/** The requests of a chunk; one that is wrong fails by itself, as an error in its place. */
export function resolveChunk(
  { items, defaults, keep, maxBytes, bounded = false }: BatchChunk,
  { requestId }: BatchContext,
  options: RequestDefaults,
  scheduledAt: number,
): Pick<BatchInput, 'items' | 'line' | 'maxBytes' | 'keep' | 'bounded'> {
  const shared = looseSpec(defaults);
  const specs = items.map(({ spec }) => withDefaults(shared, spec));
  // As the workflow has it: also what is no request has the callback of the defaults.
  const isTold = (position: number): boolean =>
    looseSpec(withDefaults(shared, looseSpec(items[position]!.spec))).callback !== undefined;
  return {
    items: items.map((item, position) =>
      resolveItem(item, specs[position], `${requestId}/${item.index}`, options, scheduledAt),
    ),
    line: requestId,
    maxBytes,
    keep: (position) => (isTold(position) ? 'all' : keep),
    bounded: (position) => bounded && !isTold(position),
  };
}

function resolveItem(
  { tries = 0, since, sent = false }: ChunkItem,
  spec: unknown,
  requestId: string,
  defaults: RequestDefaults,
  scheduledAt: number,
): BatchItem | WireError {
  const resolved = resolveSpec(spec, { requestId }, defaults);
  if ('refusal' in resolved) return resolved.refusal;
  const { request } = resolved;
  const { deadline } = request;
  const deadlineAt = deadline === undefined ? undefined : (since ?? scheduledAt) + deadline;
  return { request, tries, deadlineAt, sent };
}

/** As a template's request: headers and params are merged, the rest is the request's own. */
function withDefaults(defaults: object, spec: unknown): unknown {
  if (typeof spec !== 'string' && looseSpec(spec) !== spec) return spec;
  return mergeTemplates(defaults, looseSpec(spec) as RequestSpec);
}
