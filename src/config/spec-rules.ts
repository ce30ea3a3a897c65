import { MAX_PAYLOAD_BYTES } from '../shared/constants.ts';
import { anyCase, implies } from './json-schema.ts';
import type { Problem } from './problems.ts';

const BODIES = ['body', 'json', 'form', 'bodyBase64', 'multipart'] as const;

/**
 * What concerns several fields of a spec. It reads the spec as it was given, so that these
 * problems are reported together with those of single fields.
 */
export function* specRules(spec: Record<string, unknown>): Generator<Problem> {
  const bodies = BODIES.filter((field) => spec[field] !== undefined);
  if (bodies.length > 1) {
    yield { path: [bodies[1]!], message: `expected one body, got ${bodies.join(' and ')}` };
  }

  const { method: given = 'GET' } = spec;
  const method = typeof given === 'string' ? given.toUpperCase() : undefined;
  if (bodies.length && (method === 'GET' || method === 'HEAD')) {
    yield { path: [bodies[0]!], message: `expected no body with ${method}` };
  }

  const header = keysOf(spec.headers).find((name) => name.toLowerCase() === 'idempotency-key');
  if (header !== undefined && spec.idempotencyKey !== undefined && spec.idempotencyKey !== false) {
    yield { path: ['idempotencyKey'], message: `expected one key, got headers.${header} too` };
  }

  const contentType = keysOf(spec.headers).find((name) => name.toLowerCase() === 'content-type');
  if (contentType !== undefined && spec.multipart !== undefined) {
    yield { path: ['headers', contentType], message: 'is set by the transport with multipart' };
  }

  for (const field of ['headers', 'params', 'form']) {
    // A record drops this one name without a word.
    if (keysOf(spec[field]).includes('__proto__')) {
      yield { path: [field, '__proto__'], message: 'is not a possible name' };
    }
  }

  const size = jsonSize(spec);
  if (size > MAX_PAYLOAD_BYTES) {
    yield { path: [], message: `expected at most ${MAX_PAYLOAD_BYTES} bytes as JSON, got ${size}` };
  }
}

/** The same as far as JSON Schema can say it. Whether a body fits a method's own workflow it cannot. */
export const SPEC_RULES = {
  oneOf: [...BODIES.map(required), { not: { anyOf: BODIES.map(required) } }],
  allOf: [
    implies(
      { properties: { method: { pattern: anyCase('GET', 'HEAD') } }, required: ['method'] },
      { not: { anyOf: BODIES.map(required) } },
    ),
    implies(withHeader('idempotency-key'), { properties: { idempotencyKey: { const: false } } }),
    implies(withHeader('content-type'), { not: required('multipart') }),
  ],
};

function required(field: string) {
  return { required: [field] };
}

function withHeader(name: string) {
  const others = { propertyNames: { not: { pattern: anyCase(name) } } };
  return { properties: { headers: { not: others } }, required: ['headers'] };
}

function keysOf(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}

/** 0 for what cannot be written as JSON: the field that holds it is refused by its own schema. */
function jsonSize(value: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify(value));
  } catch {
    return 0;
  }
}
