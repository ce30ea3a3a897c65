import { z } from 'zod';
import { ConfigError } from '../shared/errors.ts';
import { optionsSchema, type PatientOptions } from './options.ts';
import { formatPath, formatProblems, problemsOf, type Problem } from './problems.ts';

type Schema = z.core.$ZodType;

/** Secrets, read when they are needed; read by tests, set-up scripts, the codec server and the dashboard. */
const FOREIGN =
  /^PATIENT_(SECRET_.+|TEST_.*|CACHE_DIR|CODEC_SERVER_TOKEN|DASHBOARD_(USER|PASSWORD|TOKEN))$/;

/**
 * What Kubernetes tells a pod of a Service beside it, and Docker a container of a link, as
 * `variable=value`: of `patient-http`, say. A `…_PORT` is a URL there, which a mistyped option is not.
 */
const SERVICE_LINK =
  /^PATIENT(_\w+)?_(SERVICE_(HOST|PORT(_\w+)?)=|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=|PORT=\w+:\/\/)/;

const BOOLEANS = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

/** `retry.maximumAttempts` is `PATIENT_RETRY_MAXIMUM_ATTEMPTS`. */
export function variableOf(option: string): string {
  const snake = option.replace(/[A-Z]/g, '_$&').replaceAll('.', '_');
  return `PATIENT_${snake.toUpperCase()}`;
}

/**
 * The options that `PATIENT_*` variables set; an empty variable counts as absent.
 * @throws ConfigError that names every wrong or unknown variable.
 */
export function optionsFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): PatientOptions {
  const known = new Map([...leaves(optionsSchema)].map((leaf) => [variableOf(leaf.option), leaf]));
  const options: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const [variable, text = ''] of Object.entries(env)) {
    if (!variable.startsWith('PATIENT_') || text === '') continue;
    const leaf = known.get(variable);
    if (leaf) {
      assign(options, leaf.option.split('.'), coerce(text, leaf.schema));
    } else if (!FOREIGN.test(variable) && !SERVICE_LINK.test(`${variable}=${text}`)) {
      problems.push({ path: [variable], message: 'unknown variable' });
    }
  }
  const parsed = optionsSchema.safeParse(options);
  for (const { path, message } of problemsOf(parsed.error?.issues ?? [], options)) {
    const option = formatPath(path.filter((part) => typeof part === 'string'));
    problems.push({ path: [variableOf(option)], message });
  }
  if (problems.length) throw new ConfigError(formatProblems(problems, 'environment'));
  return options;
}

/** Every single option, those of groups by their path. */
function* leaves(schema: Schema, path = ''): Generator<{ option: string; schema: Schema }> {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject)) return yield { option: path, schema: inner };
  for (const [field, child] of Object.entries<Schema>(inner.shape)) {
    yield* leaves(child, path ? `${path}.${field}` : field);
  }
}

/** What a field takes, without its default and what becomes of it. */
function unwrap(schema: Schema): Schema {
  if (schema instanceof z.ZodPipe) return unwrap(schema.in);
  const isWrapper =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault;
  return isWrapper ? unwrap(schema.unwrap()) : schema;
}

/** Text as the schema's kind of value. What does not fit stays text, for the schema to refuse. */
function coerce(text: string, schema: Schema): unknown {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray) {
    return text.split(',').map((item) => coerce(item.trim(), inner.element));
  }
  if (inner instanceof z.ZodRecord) return parseJson(text);
  if (inner instanceof z.ZodNumber) return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  if (inner instanceof z.ZodBoolean) return BOOLEANS.get(text) ?? text;
  return text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function assign(target: Record<string, unknown>, [field, ...rest]: string[], value: unknown): void {
  if (field === undefined) return;
  if (!rest.length) target[field] = value;
  else assign((target[field] ??= {}) as Record<string, unknown>, rest, value);
}
