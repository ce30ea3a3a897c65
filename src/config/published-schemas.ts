import { z } from 'zod';
import {
  batchResultSchema,
  batchSpecSchema,
  publishedSpecSchema,
  sinkItemSchema,
  sourcePageSchema,
} from './batch-schema.ts';
import {
  callbackArgumentSchema,
  failureDetailSchema,
  requestErrorSchema,
  responseSchema,
} from './wire-schema.ts';

/** The wire contract as JSON Schemas, by the name of their file in `schemas/`. */
export const PUBLISHED_SCHEMAS = {
  'request-spec': publishedSpecSchema,
  response: responseSchema,
  'failure-detail': failureDetailSchema,
  'request-error': requestErrorSchema,
  'callback-argument': callbackArgumentSchema,
  'batch-spec': batchSpecSchema,
  'batch-result': batchResultSchema,
  'sink-item': sinkItemSchema,
  'source-page': sourcePageSchema,
} satisfies Record<string, z.ZodType>;

export type SchemaName = keyof typeof PUBLISHED_SCHEMAS;

/**
 * The JSON Schema (2020-12) of what is written to the wire. What Patient HTTP reads refuses unknown
 * fields; what it writes allows them, for readers of a later release. `closed` refuses them there
 * too: for tests, which are to notice a field that no schema has.
 */
export function jsonSchemaOf(name: SchemaName, { closed = false } = {}): object {
  const { $ref, $defs, ...rest } = z.toJSONSchema(PUBLISHED_SCHEMAS[name] as z.ZodType, {
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      // Notes for the README's tables.
      delete jsonSchema['kind'];
      delete jsonSchema['option'];
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (closed && zodSchema._zod.def.type === 'object') jsonSchema.additionalProperties ??= false;
    },
  });
  // Tools that make types of a schema want its root to be the object itself.
  const id = $ref?.slice('#/$defs/'.length);
  const { [id ?? '']: root, ...others } = $defs ?? {};
  return { ...rest, ...root, ...(Object.keys(others).length > 0 && { $defs: others }) };
}
