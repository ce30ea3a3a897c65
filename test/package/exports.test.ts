import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const exec = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const node = process.execPath;

/** The package as published, in a project of somebody else, beside what it depends on. */
let project: string;
let packed: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'patient-consumer-'));
  const modules = join(project, 'node_modules');
  packed = join(modules, 'patient-http');
  await mkdir(packed, { recursive: true });
  await exec('npm', ['pack', '--ignore-scripts', '--pack-destination', project], { cwd: root });
  const archive = (await readdir(project)).find((name) => name.endsWith('.tgz')) ?? '';
  await exec('tar', ['-xzf', join(project, archive), '-C', packed, '--strip-components=1']);
  for (const name of await readdir(join(root, 'node_modules')))
    if (!name.startsWith('.')) await symlink(join(root, 'node_modules', name), join(modules, name));
});

afterAll(() => rm(project, { recursive: true, force: true }));

const ENTRIES = ['patient-http', 'patient-http/workflow', 'patient-http/testing'];

test('holds what it needs and nothing else', async () => {
  expect((await readdir(packed)).sort()).toEqual([
    ...['ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'bench'],
    ...['deploy', 'dist', 'docs', 'examples', 'package.json', 'schemas', 'test'],
  ]);
  const files = await readdir(join(packed, 'dist'), { recursive: true });
  expect(files.filter((name) => /\.map$|(?<!\.d)\.ts$/.test(name))).toEqual([]);
  expect((await readdir(join(packed, 'dist'))).sort()).toEqual(['activities', 'src', 'workflows']);
});

test('its documents link to what is there', async () => {
  const all = await readdir(packed, { recursive: true });
  const broken: string[] = [];
  for (const document of all.filter((name) => name.endsWith('.md'))) {
    const text = await readFile(join(packed, document), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)) {
      const path = join(packed, dirname(document), target);
      if (!existsSync(path)) broken.push(`${document}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});

test('an ES module imports every entry', async () => {
  await writeFile(
    join(project, 'main.mjs'),
    `import { PatientClient, PatientPlugin } from 'patient-http';
     import { defineCallback, patient, patientGet } from 'patient-http/workflow';
     import * as testing from 'patient-http/testing';
     console.log([PatientClient, PatientPlugin, defineCallback, patient.get, patientGet]
       .map((each) => typeof each).join(), Object.keys(testing).length > 0);`,
  );
  const { stdout } = await exec(node, ['main.mjs'], { cwd: project });
  expect(stdout).toBe('function,function,function,function,function true\n');
});

test('a CommonJS module requires every entry', async () => {
  const code = ENTRIES.map((entry) => `console.log(Object.keys(require('${entry}')).length > 0);`);
  await writeFile(join(project, 'main.cjs'), code.join('\n'));
  const { stdout } = await exec(node, ['main.cjs'], { cwd: project });
  expect(stdout).toBe('true\ntrue\ntrue\n');
});

test('the JSON Schemas are there for whoever asks', async () => {
  const code = `const { title } = require('patient-http/schemas/request-spec.json'); console.log(title);`;
  await writeFile(join(project, 'schema.cjs'), code);
  const { stdout } = await exec(node, ['schema.cjs'], { cwd: project });
  expect(stdout).toBe('RequestSpec\n');
});

test('the binary runs', async () => {
  const { stdout } = await exec(node, [join(packed, 'dist/src/cli/main.js'), '--help'], {
    cwd: project,
  });
  expect(stdout).toContain('worker');
});

const USES = `
import { type PatientClient, type RequestSpec } from 'patient-http';
import { patient } from 'patient-http/workflow';
import * as testing from 'patient-http/testing';
export const spec: RequestSpec = { url: 'https://example.com' };
export async function use(client: PatientClient): Promise<number> {
  const responses = [await client.get(spec.url), await patient.get(spec.url)];
  // @ts-expect-error a number: were the types not found, anything would do
  const status: string = responses[0].status;
  void [status, testing];
  return responses[0].status;
}
`;

async function typeCheck(tsc: string, options: object): Promise<string> {
  const shared = {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    target: 'es2022',
    types: ['node'],
  };
  await writeFile(join(project, 'uses.ts'), USES);
  await writeFile(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...shared, ...options }, files: ['uses.ts'] }),
  );
  await writeFile(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
  return exec(node, [tsc, '--pretty', 'false'], { cwd: project }).then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout,
  );
}

test.each(['nodenext', 'bundler'])('types: module resolution %s', async (moduleResolution) => {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const module = moduleResolution === 'bundler' ? 'esnext' : 'nodenext';
  expect(await typeCheck(tsc, { module, moduleResolution })).toBe('');
});

test('types: node10, as older projects resolve', async () => {
  // The compiler of our own version no longer knows it; attw brings one that does.
  const attw = createRequire(join(root, 'node_modules/@arethetypeswrong/core/package.json'));
  const tsc = join(attw.resolve('typescript'), '../../bin/tsc');
  expect(await typeCheck(tsc, { module: 'commonjs', moduleResolution: 'node10' })).toBe('');
});
