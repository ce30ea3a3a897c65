import { expect } from 'vitest';
import { checkSpec } from '../../src/config/request-spec.ts';
import { ConfigError, RequestError } from '../../src/shared/errors.ts';

/** In every value of a test that no message may show. */
export const SECRET = 'S3CRET';

/** The message that a spec is refused with. */
export function refusal(spec: unknown): string {
  const error = thrownBy(() => checkSpec(spec));
  if (!(error instanceof RequestError) || error.type !== 'InvalidRequestError') throw error;
  expect(error).toMatchObject({ phase: 'prepare', transient: false });
  expect(error.message).not.toContain(SECRET);
  return error.message;
}

/** What wrong options are refused with. */
export function configError(run: () => unknown): string {
  const error = thrownBy(run);
  if (!(error instanceof ConfigError) || !(error instanceof TypeError)) throw error;
  expect(error.message).not.toContain(SECRET);
  return error.message;
}

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return new Error('nothing was refused');
}

/** A spec or options object with one value at a dotted path. */
export function withField(base: object, path: string, value: unknown): Record<string, unknown> {
  const [field = '', ...rest] = path.split('.');
  const child = (base as Record<string, unknown>)[field];
  const nested = rest.length ? withField(child ?? {}, rest.join('.'), value) : value;
  return { ...base, [field]: nested };
}

/** Dotted paths of all fields of a schema's shape, groups such as `retry` included. */
export function fieldsOf(properties: object, prefix = ''): string[] {
  return Object.entries(properties).flatMap(([name, property]: [string, Group]) => [
    prefix + name,
    ...fieldsOf(property.properties ?? {}, `${prefix}${name}.`),
  ]);
}

type Group = { properties?: object };
