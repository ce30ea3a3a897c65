import { readFile } from 'node:fs/promises';
import { checkSpec } from '../../src/config/request-spec.ts';
import type { RequestSpec } from '../../src/index.ts';

/** Stands for the demo's own API, whose port is known only once it listens. */
export const SLOW_API = 'demo://slow-api';

const MAX_REPEAT = 100_000;
/** The demo's callback workflow. */
const CALLBACK = 'callEnded';
/** The demo finds a callback's call by them, and reads the whole result. */
const TAKEN = ['callbackArgs', 'result'];

/** A file that cannot be used: says which line, and why. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** The requests of a file of JSON lines or URLs, its kinds evenly mixed. @throws InputError */
export async function loadRequests(path: string): Promise<RequestSpec[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new InputError(`${path} cannot be read: ${(error as Error).message}`);
  });
  const requests = text.split(/\r?\n/).flatMap((line, index) => {
    try {
      return parseLine(line.trim());
    } catch (error) {
      throw new InputError(`${path}, line ${index + 1}: ${(error as Error).message}`);
    }
  });
  if (requests.length === 0) throw new InputError(`${path} holds no requests`);
  return requests.toSorted((a, b) => a.position - b.position).map(({ spec }) => spec);
}

/** Puts the address of the slow API in place of its name. */
export function resolveUrl(spec: RequestSpec, origin: string): RequestSpec {
  return { ...spec, url: spec.url.replace(SLOW_API, origin) };
}

function parseLine(line: string): { spec: RequestSpec; position: number }[] {
  if (line === '' || line.startsWith('#')) return [];
  const { repeat = 1, ...spec } = line.startsWith('{') ? parseJson(line) : { url: line };
  if (!isCount(repeat)) {
    throw new Error(`repeat: expected an integer from 1 to ${MAX_REPEAT}, got ${String(repeat)}`);
  }
  const taken = TAKEN.find((field) => field in spec);
  if (taken) throw new Error(`${taken}: the demo sets this field itself`);
  if (spec.callback !== undefined && spec.callback !== CALLBACK) {
    throw new Error(`callback: the demo has but one, ${CALLBACK}`);
  }
  const request = spec as unknown as RequestSpec;
  checkSpec(typeof spec.url === 'string' ? resolveUrl(request, 'http://demo') : spec);
  return Array.from({ length: repeat }, (_, i) => ({
    spec: request,
    position: (i + 0.5) / repeat,
  }));
}

function parseJson(line: string): { [field: string]: unknown } {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch (error) {
    throw new Error(`not JSON (${(error as Error).message})`, { cause: error });
  }
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_REPEAT;
}
