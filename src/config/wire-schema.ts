import { z } from 'zod';
import { METHODS } from '../shared/constants.ts';
import { ERROR_WORDS, type ErrorType, type ErrorWord } from '../shared/errors.ts';
import type {
  CallbackArgument,
  FailureDetail,
  Json,
  Phase,
  WireError,
  WireResponse,
} from '../shared/wire.ts';

// What goes out, for the published JSON Schemas and for the tests that hold every real response
// against them. That these are the types of `shared/wire.ts` is checked by the compiler
// (test/config/wire-schema.test.ts).

/** Any JSON value; published as a schema that takes everything. */
export const jsonValue: z.ZodType<Json> = z.unknown() as unknown as z.ZodType<Json>;

const count = z.int().min(0);
const text = z.string();

/** Fields in the shape of a type of `shared/wire.ts`. Readers must take fields that come later. */
const response = {
  status: z.int().min(100).max(999),
  headers: z
    .record(text, z.union([text, z.array(text)]))
    .describe('Lower-case names; a repeated header is an array.'),
  body: text.nullable().describe('`null` for HEAD, 204 and 304.'),
  bodyEncoding: z.enum(['utf8', 'base64']).describe('`base64` for what is no text.'),
  url: text.describe('The final one, with its query, without secrets.'),
  method: z.enum(METHODS).describe('The final one.'),
  redirects: z.array(text).describe('URLs visited before the final one.'),
  requestId: text,
  durationMs: count.describe('The last try, all hops.'),
  attempt: z.int().min(1).describe('Number of the last try, from 1.'),
  callbackArgs: jsonValue,
} satisfies Record<keyof WireResponse, z.ZodType>;

export const responseSchema = z.object(response).meta({
  id: 'Response',
  title: 'Response',
  description: 'A response as plain JSON, whatever its status.',
});

const cutResponse = z
  .object({ ...response, bodyTruncated: z.boolean().exactOptional() })
  .meta({ id: 'CutResponse', title: 'CutResponse' });

const failure = {
  errorType: z.enum([...new Set(Object.values(ERROR_WORDS))] as [ErrorWord, ...ErrorWord[]]),
  message: text.describe('Without query, userinfo or secret.'),
  url: text.describe('Without query, userinfo or secret.'),
  method: text.describe('As it was asked for: that of a refused request can be any text.'),
  requestId: text,
  durationMs: count,
  phase: z
    .enum(['prepare', 'queued', 'connect', 'sent'] satisfies Phase[])
    .describe('How far it came; `sent`: the server may have seen it.'),
  attempt: z.int().min(1).describe('Number of the last try, from 1.'),
  response: cutResponse
    .exactOptional()
    .describe('The response that is the error; its body is cut to 2 KB.'),
} satisfies Record<keyof FailureDetail, z.ZodType>;

export const failureDetailSchema = z.object(failure).meta({
  id: 'FailureDetail',
  title: 'FailureDetail',
  description:
    "The one detail of a failed request's ApplicationFailure, whose type says what happened.",
});

export const requestErrorSchema = z
  .object({
    type: z
      .enum(Object.keys(ERROR_WORDS) as [ErrorType, ...ErrorType[]])
      .describe('The type that the ApplicationFailure has.'),
    ...failure,
  } satisfies Record<keyof WireError, z.ZodType>)
  .meta({
    id: 'RequestError',
    title: 'RequestError',
    description: 'A failure as callbacks and batch outcomes have it: the detail, and its type.',
  });

/** What a batch says of its end, to its caller and to its callback. */
export const batchEnd = {
  succeeded: count.describe('Outcomes that are a response, whatever its status.'),
  failed: count.describe(
    'Those that are an error, also in place of a response for which the result has no room.',
  ),
  sink: z
    .union([z.object({ file: text }), z.object({ activity: text, taskQueue: text })])
    .exactOptional()
    .describe('Where the outcomes are, if not here.'),
};

export const callbackArgumentSchema = z
  .object({
    requestId: text,
    outcome: z.enum(['response', 'error']),
    response: responseSchema.exactOptional(),
    error: requestErrorSchema.exactOptional(),
    batch: z
      .object(batchEnd)
      .exactOptional()
      .describe('In place of `response` when a batch has ended.'),
    callbackArgs: jsonValue,
    request: z
      .object({ workflowId: text, runId: text })
      .describe('The request workflow; `runId` is its original run.'),
  } satisfies Record<keyof CallbackArgument, z.ZodType>)
  .meta({
    title: 'CallbackArgument',
    description: 'The one argument of a callback workflow or signal.',
  });
