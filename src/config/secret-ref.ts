import { z } from 'zod';
import { SECRET_NAME } from '../shared/constants.ts';
import { HEADER_VALUE } from '../shared/header-rules.ts';
import type { SecretRef } from '../shared/wire.ts';

/** The name of a secret. */
export function secretName() {
  const error = 'expected 1 to 128 letters, digits, _, - or . with no - or . in front';
  return z.string({ error }).regex(SECRET_NAME, { error });
}

function headerText(expected: string) {
  return z.string({ error: expected }).regex(HEADER_VALUE, { error: expected });
}

/** A secret by its name, as a parameter or a proxy takes it. */
export const secretRefSchema = z.strictObject(
  {
    $secret: secretName(),
    prefix: headerText('expected text without line break, control or non-Latin-1').optional(),
  },
  { error: 'expected { $secret, prefix }' },
);

/** As a header takes it: `username` makes HTTP Basic credentials of it (RFC 7617). */
export const headerSecretSchema = secretRefSchema
  .extend({
    username: headerText('expected text without line break, control or non-Latin-1')
      .regex(/^[^:]*$/, { error: 'expected a username without a colon' })
      .optional(),
  })
  .refine(({ prefix, username }) => prefix === undefined || username === undefined, {
    error: 'expected prefix or username, got both',
  })
  .meta({ not: { required: ['prefix', 'username'] } });

export function isSecretRef(value: unknown): value is SecretRef {
  return typeof value === 'object' && value !== null && '$secret' in value;
}
