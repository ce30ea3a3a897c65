import { z } from 'zod';
import { DEFAULT_HEARTBEAT_TIMEOUT, METHODS } from '../shared/constants.ts';
import type { RequestSpec } from '../shared/wire.ts';
import { callbackSchema } from './callback.ts';
import { base64, choice, duration, flag, integer, name, positive, visible } from './fields.ts';
import { flowSchema } from './flow.ts';
import { headersSchema } from './headers.ts';
import { jsonBodySchema, jsonSchema } from './json.ts';
import { multipartSchema } from './multipart.ts';
import { specProxyUrl } from './proxy.ts';
import { retrySchema } from './retry.ts';
import { anyCase } from './json-schema.ts';
import { secretRefSchema } from './secret-ref.ts';
import { urlSchema } from './target-url.ts';

export const MAX_RESPONSE_SIZE = 100 * 1024 * 1024;

const method = { error: `expected ${METHODS.join(', ')}` };
const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()], {
  error: 'expected a string, finite number, boolean or null',
});
/** A record drops the one that `spec-rules.ts` refuses without a word. */
const parameterName = z.string().meta({ not: { const: '__proto__' } });
const pairs = z.record(
  parameterName,
  z.union([scalar, z.array(scalar)], { error: 'expected a scalar or an array of scalars' }),
  { error: 'expected an object of names and values' },
);
const params = z.record(
  parameterName,
  z.union([scalar, z.array(scalar), secretRefSchema], {
    error: 'expected a scalar, an array of scalars or { $secret }',
  }),
  { error: 'expected an object of names and values' },
);

const priority = z
  .strictObject(
    {
      priorityKey: integer(1, 5).describe('1 goes first, 5 last; Temporal takes 3 without it.'),
      fairnessKey: z
        .string({ error: 'expected a string' })
        .refine((key) => Buffer.byteLength(key) <= 64, { error: 'expected at most 64 bytes' })
        .meta({ maxLength: 64 })
        .describe('Keys share the workers fairly; at most 64 bytes.'),
      fairnessWeight: positive().describe("The key's share; 1 without it."),
    },
    { error: 'expected { priorityKey, fairnessKey, fairnessWeight }' },
  )
  .partial();

/**
 * Every field of a RequestSpec by itself; what concerns several fields is in `spec-rules.ts`.
 * `option` in a field's metadata names the worker option that its default comes from.
 */
export const requestSpecSchema = z.strictObject({
  url: urlSchema.describe('http or https, without credentials.'),
  method: z
    .string(method)
    .toUpperCase()
    .pipe(z.enum(METHODS, method))
    .meta({ pattern: anyCase(...METHODS) })
    .prefault('GET')
    .describe('`GET`, `HEAD`, `POST`, `PUT`, `PATCH` or `DELETE`, in any case.'),
  headers: headersSchema
    .optional()
    .describe('Names and values; an array repeats the header, `{ $secret }` is a secret.'),
  params: params
    .optional()
    .describe(
      "Appended to the URL's query; an array repeats the key, `null` is a bare key, " +
        '`{ $secret }` a secret.',
    ),
  body: z
    .string({ error: 'expected a string' })
    .optional()
    .describe('Text body. At most one of `body`, `json`, `form`, `bodyBase64`, `multipart`.'),
  json: jsonBodySchema.optional().describe('JSON body; `null` is sent as `null`.'),
  form: pairs.optional().describe('`application/x-www-form-urlencoded` body.'),
  bodyBase64: base64().optional().describe('Binary body.'),
  multipart: multipartSchema
    .optional()
    .describe(
      '`multipart/form-data` body: parts `{ name, value, filename, contentType }`, with ' +
        '`valueBase64` or `json` in place of `value`.',
    ),
  timeout: duration()
    .optional()
    .describe('One try: connect, send, all hops, full body.')
    .meta({ option: 'requestTimeout' }),
  connectTimeout: duration()
    .optional()
    .describe('DNS, TCP and TLS.')
    .meta({ option: 'connectTimeout' }),
  firstByteTimeout: duration()
    .optional()
    .describe("From the first byte sent to the response's status line."),
  idleTimeout: duration().optional().describe('Longest pause between two pieces of the body.'),
  maxRedirects: integer(0, 50)
    .optional()
    .describe('0 delivers the 3xx.')
    .meta({ option: 'maxRedirects' }),
  allowDowngrade: flag().default(false).describe('Follow a redirect from https to http.'),
  maxResponseSize: integer(1, MAX_RESPONSE_SIZE)
    .optional()
    .describe('Decoded bytes of the body; equal passes.')
    .meta({ option: 'maxResponseSize' }),
  raiseErrorResponses: flag()
    .optional()
    .describe('A status outside 2xx becomes `HttpStatusError`.')
    .meta({ option: 'raiseErrorResponses' }),
  retry: retrySchema.optional(),
  resend: choice(['auto', 'always', 'never'])
    .default('auto')
    .describe(
      'Whether it can be sent again once its first byte may have gone out. ' +
        '`auto`: GET, HEAD, PUT, DELETE and whatever has an idempotency key.',
    ),
  idempotencyKey: z
    .union([z.boolean(), visible()], {
      error: 'expected true, false or 1 to 255 visible ASCII characters',
    })
    .default(false)
    .describe('`true` sends the request id as `Idempotency-Key`; a string is sent as it is.'),
  deadline: duration().optional().describe('All tries together, from first scheduling.'),
  heartbeatTimeout: duration(1000)
    .prefault(DEFAULT_HEARTBEAT_TIMEOUT)
    .describe("Temporal's own crash detector; at least 1 s."),
  callback: callbackSchema
    .optional()
    .describe('A workflow name, `{ workflow, taskQueue, retry }` or `{ signal, workflowId }`.'),
  callbackArgs: jsonSchema.prefault(null).describe('JSON handed to the callback.'),
  result: choice(['full', 'status', 'none'])
    .default('full')
    .describe('What the request workflow itself returns when there is a callback.'),
  preprocessors: z
    .array(name(), { error: 'expected an array of names' })
    .optional()
    .describe("Names of the worker's preprocessors, run in this order on what is about to go out."),
  protocol: choice(['auto', 'http1', 'http2'])
    .default('auto')
    .describe(
      '`auto`: HTTP/2 where a TLS server offers it, else HTTP/1.1. `http2` fails without it, and ' +
        'takes an http server to speak it (prior knowledge).',
    ),
  proxyUrl: specProxyUrl()
    .nullable()
    .optional()
    .describe(
      'http or https, without credentials, or all of it as `{ $secret }`; `null` goes without a proxy.',
    )
    .meta({ option: 'proxyUrl' }),
  flow: flowSchema.optional(),
  priority: priority.optional(),
  requestId: visible()
    .optional()
    .describe('A label and the `x-request-id` header, stable over tries and redirects.'),
} satisfies Record<keyof RequestSpec, z.ZodType>);
