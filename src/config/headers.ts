import { z } from 'zod';
import {
  HEADER_NAME,
  HEADER_VALUE,
  isTransportHeader,
  TRANSPORT_HEADERS,
} from '../shared/header-rules.ts';
import { anyCase } from './json-schema.ts';
import { headerSecretSchema, isSecretRef } from './secret-ref.ts';

/** They are shown in logs and errors, and stay the same over tries. */
const IDS = ['x-request-id', 'idempotency-key'];

/** A header value on one line. */
export function headerValue() {
  const error =
    'expected characters that a header can hold (no line break, control or non-Latin-1)';
  return z.string({ error: 'expected a string' }).regex(HEADER_VALUE, { error });
}

/** Header names and values, as the spec gives them; the result's names are lower-case. */
export const headersSchema = z
  .record(
    z
      .string()
      .regex(HEADER_NAME, { error: 'expected header names', abort: true })
      .refine((name) => !isTransportHeader(name), {
        error: 'is set by the transport and cannot be given',
      })
      .meta({ not: { pattern: anyCase(...TRANSPORT_HEADERS, '__proto__') } }),
    z.union([headerValue(), z.array(headerValue()).min(1), headerSecretSchema], {
      error: 'expected a string, a non-empty array of strings or { $secret }',
    }),
    { error: 'expected an object of header names and values' },
  )
  .transform((headers, ctx) => {
    const spelling = new Map<string, string>();
    for (const name of Object.keys(headers)) {
      const other = spelling.get(name.toLowerCase());
      spelling.set(name.toLowerCase(), name);
      if (other === undefined) continue;
      ctx.addIssue({ code: 'custom', path: [name], message: `is the same header as ${other}` });
    }
    for (const id of IDS) {
      const name = spelling.get(id);
      if (name === undefined || !isSecretRef(headers[name])) continue;
      ctx.addIssue({ code: 'custom', path: [name], message: 'cannot be a secret' });
    }
    return Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
    );
  })
  .meta({ patternProperties: { [anyCase(...IDS)]: { type: ['string', 'array'] } } });
