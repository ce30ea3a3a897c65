import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { jsonSchemaOf, type SchemaName } from '../../src/config/published-schemas.ts';

const validators = new Map<string, ValidateFunction>();

/**
 * What a validator that is not ours finds wrong with a value: nothing, or one line. `closed` refuses
 * fields that no schema has where readers allow them.
 */
export function violations(name: SchemaName, value: unknown, options = { closed: false }): string {
  const key = `${name} ${options.closed}`;
  let validate = validators.get(key);
  if (!validate) {
    // `strict` complains of what JSON Schema allows, such as `required` without `properties`.
    const ajv = new Ajv2020({ allErrors: true, strict: false });
    validate = ajv.compile(jsonSchemaOf(name, options));
    validators.set(key, validate);
  }
  if (validate(value)) return '';
  return validate
    .errors!.map(({ instancePath, message, params }) => {
      return `${instancePath} ${message} ${JSON.stringify(params)}`;
    })
    .join('; ');
}
