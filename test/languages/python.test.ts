import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { jsonSchemaOf } from '../../src/config/published-schemas.ts';
import { PYTHON_SDK, pythonLibrary, runPython } from '../support/python.ts';
import { expectToShow, startWorld } from './example.ts';

const run = promisify(execFile);
const example = fileURLToPath(new URL('../../examples/python/', import.meta.url));
const main = `${example}main.py`;

test(
  'workflows in Python: a GET, a failure, a callback, a batch',
  { timeout: 400_000 },
  async () => {
    await using world = await startWorld();
    const PYTHONPATH = await pythonLibrary("Temporal's Python SDK", PYTHON_SDK);
    const output = await runPython(main, [world.base], { ...world.variables, PYTHONPATH });
    expectToShow(output, "{'waited': 1000}");
  },
);

test('its list of packages is what it is tested with', async () => {
  const list = await readFile(`${example}requirements.txt`, 'utf8');
  expect(PYTHON_SDK).toEqual(expect.arrayContaining(list.trim().split('\n')));
});

const FIELDS = `
import json, patient_http
print(json.dumps({n: list(t.__annotations__) for n, t in vars(patient_http).items()
                  if isinstance(t, type) and t.__module__ == 'patient_http'}))`;

test('its types have the fields of the schemas', { timeout: 400_000 }, async () => {
  const library = await pythonLibrary("Temporal's Python SDK", PYTHON_SDK);
  const env = { ...process.env, PYTHONPATH: `${library}:${example}`, PYTHONDONTWRITEBYTECODE: '1' };
  const { stdout } = await run('python3', ['-c', FIELDS], { env });
  const types = JSON.parse(stdout) as Record<string, string[]>;
  for (const [type, schema] of [
    ['RequestSpec', 'request-spec'],
    ['RequestError', 'request-error'],
    ['CallbackArgument', 'callback-argument'],
    ['BatchSpec', 'batch-spec'],
    ['BatchResult', 'batch-result'],
    ['SourcePage', 'source-page'],
  ] as const) {
    const { properties } = jsonSchemaOf(schema) as { properties: object };
    expect(types[type]!.toSorted(), type).toEqual(Object.keys(properties).sort());
  }
  const { properties } = jsonSchemaOf('response') as { properties: object };
  const response = [...Object.keys(properties), 'bodyTruncated'];
  expect(types['Response']!.toSorted()).toEqual(response.sort());
});
