import { z } from 'zod';
import { base64 } from './fields.ts';
import { jsonBodySchema } from './json.ts';

const VALUES = ['value', 'valueBase64', 'json'] as const;

/** A type and its parameters (RFC 9110 §8.3.1), on one line. */
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?: *;[\x20-\x7e]*)?$/;

/** No control character: a name cannot start a header of its own. */
function oneLine() {
  const error = 'expected a string without control characters';
  return z.string({ error }).regex(/^[^\x00-\x1f\x7f]*$/, { error });
}

const partSchema = z
  .strictObject(
    {
      name: oneLine(),
      value: z.string({ error: 'expected a string' }).optional(),
      valueBase64: base64().optional(),
      json: jsonBodySchema.optional(),
      filename: oneLine().optional(),
      contentType: z
        .string({ error: 'expected a media type' })
        .regex(MEDIA_TYPE, { error: 'expected a media type' })
        .optional(),
    },
    { error: 'expected { name, value, valueBase64 or json, filename, contentType }' },
  )
  .superRefine((part, ctx) => {
    const given = VALUES.filter((field) => part[field] !== undefined);
    if (given.length === 1) return;
    const got = given.length ? given.join(' and ') : 'none';
    ctx.addIssue({
      code: 'custom',
      message: `expected one of value, valueBase64 and json, got ${got}`,
    });
  })
  .meta({ oneOf: VALUES.map((field) => ({ required: [field] })) });

export const multipartSchema = z
  .array(partSchema, { error: 'expected a non-empty array of parts' })
  .min(1, { error: 'expected a non-empty array of parts' });
