import { z } from 'zod';
import {
  DEFAULT_CHUNK_SIZE,
  DEFAULT_CHUNKS,
  MAX_CHUNK_SIZE,
  MAX_CHUNKS,
} from '../shared/batch-spec.ts';
import type { BatchResult, BatchSpec, SourcePage } from '../shared/wire-batch.ts';
import { callbackSchema } from './callback.ts';
import { choice, integer, name } from './fields.ts';
import { jsonSchema } from './json.ts';
import { SPEC_RULES } from './spec-rules.ts';
import { requestSpecSchema } from './spec-schema.ts';
import { urlSchema } from './target-url.ts';
import { batchEnd, jsonValue, requestErrorSchema, responseSchema } from './wire-schema.ts';

// A batch is validated by `shared/batch-spec.ts`, in the workflow, where zod would be too large; this
// says the same for the published JSON Schemas, and test/config/published-schemas.test.ts that it does.

export const publishedSpecSchema = requestSpecSchema.meta({
  ...SPEC_RULES,
  id: 'RequestSpec',
  title: 'RequestSpec',
  description:
    'One HTTP request: the argument of `patientRequest`, `patientGet`, … Durations are milliseconds ' +
    'or texts such as `30s`; sizes are bytes. In place of it a workflow takes a URL as text.',
});

const requests = z.array(z.union([urlSchema, publishedSpecSchema]));

const file = z
  .strictObject({ file: name() })
  .describe("JSON lines, below the workers' `batchDirectory`.");
const place = { activity: name(), taskQueue: name() };

export const batchSpecSchema = z
  .strictObject({
    requests: requests.optional().describe('At most 2 MB of JSON in all.'),
    source: z
      .union([
        file,
        z
          .strictObject({ ...place, args: z.array(jsonValue).optional() })
          .describe('An activity of yours, called with a cursor, `null` at first, and `args`.'),
      ])
      .optional()
      .describe('Gives the requests, any number of them; see SourcePage.'),
    defaults: requestSpecSchema
      .partial()
      .omit({ requestId: true })
      .extend({ idempotencyKey: z.boolean().optional() })
      .optional()
      .describe("Fields that all requests share; a request's own win. At most 512 KiB of JSON."),
    chunkSize: integer(1, MAX_CHUNK_SIZE)
      .default(DEFAULT_CHUNK_SIZE)
      .describe('Requests per activity.'),
    concurrency: integer(1, MAX_CHUNKS).default(DEFAULT_CHUNKS).describe('Activities at once.'),
    keep: choice(['all', 'status', 'none'])
      .default('all')
      .describe('What `outcomes` holds; `none` leaves it out.'),
    sink: z
      .union([file, z.strictObject(place)])
      .optional()
      .describe('Gets every outcome in full, as they come: a file, or an activity of yours.'),
    callback: callbackSchema.optional().describe('Runs once, when the batch has ended.'),
    callbackArgs: jsonSchema.prefault(null).describe('JSON handed to the callback.'),
  } satisfies Record<keyof BatchSpec, z.ZodType>)
  .meta({
    oneOf: [{ required: ['requests'] }, { required: ['source'] }],
    anyOf: [
      { required: ['requests'] },
      { required: ['sink'] },
      { properties: { keep: { const: 'none' } }, required: ['keep'] },
    ],
    title: 'BatchSpec',
    description: 'Many requests as one workflow: the argument of `patientBatch`.',
  });

export const sourcePageSchema = z
  .object({
    requests,
    cursor: jsonValue.optional().describe('Of the next page; `null` or left out after the last.'),
  } satisfies Record<keyof SourcePage, z.ZodType>)
  .meta({ title: 'SourcePage', description: 'What an activity that is a source answers.' });

const outcome = { response: responseSchema };
const failed = { error: requestErrorSchema };

export const batchResultSchema = z
  .object({
    outcomes: z
      .array(z.union([z.object(outcome), z.object(failed)]))
      .exactOptional()
      .describe('In the order of the requests; without a sink, unless `keep` is `none`.'),
    ...batchEnd,
  } satisfies Record<keyof BatchResult, z.ZodType>)
  .meta({ title: 'BatchResult', description: 'How a batch ended.' });

const index = z.int().min(0).describe("The request's position in the batch, from 0.");

export const sinkItemSchema = z
  .union([z.object({ index, ...outcome }), z.object({ index, ...failed })])
  .meta({
    title: 'SinkItem',
    description:
      'A line of a sink that is a file; a sink that is an activity is called with an array of them. ' +
      'Each request has one at least, and the same index each time.',
  });
