import { z } from 'zod';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** No CR, LF, NUL or other control: a value cannot start a header of its own. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** They frame the message or name its target, so they are the transport's. */
const OWNED = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Refused until secrets exist; the value itself is never part of a message. */
export function noSecret(expected: string): z.core.$ZodErrorMap {
  return ({ input }) =>
    typeof input === 'object' && input !== null && '$secret' in input
      ? 'secret references are not yet supported'
      : expected;
}

/** A header value on one line. */
export function headerValue() {
  const error =
    'expected characters that a header can hold (no line break, control or non-Latin-1)';
  return z.string({ error: 'expected a string' }).regex(VALUE, { error });
}

/** Header names and values, as the spec gives them; the result's names are lower-case. */
export const headersSchema = z
  .record(
    z
      .string()
      .regex(TOKEN, { error: 'expected header names' })
      .refine((name) => !OWNED.has(name.toLowerCase()), {
        error: 'is set by the transport and cannot be given',
      }),
    z.union([headerValue(), z.array(headerValue()).min(1)], {
      error: noSecret('expected a string or a non-empty array of strings'),
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
    return Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
    );
  });
