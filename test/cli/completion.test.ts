import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { candidates } from '../../src/cli/completion/candidates.ts';
import { createProgram } from '../../src/cli/program.ts';
import { run } from './process.ts';
import { startTerminal, type Terminal } from './terminal.ts';

const root = dirname(createRequire(import.meta.url).resolve('patient-http/package.json'));

const complete = (...words: string[]): string[] =>
  candidates(createProgram(), words).map(({ value }) => value);

test('commands, options, choices; nothing where a file or a text is meant', () => {
  expect(complete('co')).toEqual(['codec-server', 'completion']);
  expect(complete('')).toContain('get');
  expect(complete('')).not.toContain('__complete');
  expect(complete('flow', 'p')).toEqual(['pause']);
  expect(complete('ps', '--ph')).toEqual(['--phase']);
  expect(complete('ps', '--phase', 's')).toEqual(['sent']);
  expect(complete('ps', '--phase=s')).toEqual(['--phase=sent']);
  // As bash cuts it.
  expect(complete('ps', '--phase', '=', 's')).toEqual(['sent']);
  expect(complete('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  expect(complete('batch', './')).toEqual([]);
  expect(complete('batch', 'x', '-o', '')).toEqual([]);
  expect(complete('get', 'http://x', '--fa')).toEqual(['--fail']);
  expect(complete('get', '-H', '--fail', '--da')).toEqual([]);
});

/** Has `patient` on its PATH, a file to complete, and one that must not come to be. */
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patient-shell-'));
  const patient = join(folder, 'patient');
  const main = join(root, 'dist/src/cli/main.js');
  await writeFile(patient, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
  await chmod(patient, 0o755);
  await writeFile(join(folder, 'requests.jsonl'), '');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const shellEnv = (): Record<string, string> => ({
  PATH: [folder, process.env.PATH].join(delimiter),
  HOME: folder,
  TERM: 'dumb',
});

/** Types a line and Tab, and waits for what the shell makes of it. */
async function tab(shell: Terminal, line: string, expected: RegExp): Promise<void> {
  const before = shell.stdout.length;
  shell.type(line);
  await shell.prints(new RegExp(escape(line.slice(-8))));
  shell.type('\t');
  await expect.poll(() => shell.stdout.slice(before)).toMatch(expected);
  // A line that is given up, so that nothing is run.
  shell.type('\x15');
}

function escape(text: string): string {
  return text.replace(/[$()]/g, '\\$&');
}

async function tabs(shell: Terminal): Promise<void> {
  await tab(shell, 'patient compl', /patient completion/);
  await tab(shell, 'patient ps --pha', /--phase /);
  await tab(shell, 'patient ps --phase deli', /--phase delivering/);
  await tab(shell, `patient batch ${folder}/req`, /requests\.jsonl/);
  // What is typed is not run by a Tab.
  await tab(shell, 'patient get "$(touch pwned)" --fai', /--fail/);
}

test('bash completes', async () => {
  await using shell = startTerminal(['bash', '--norc', '-i'], shellEnv());
  shell.type(`cd ${folder}; source <(patient completion bash); echo is-$((40+2))\n`);
  await shell.prints('is-42');
  await tabs(shell);
  await expectNothingRun();
});

test('zsh completes', async () => {
  await using shell = startTerminal(['zsh', '-f', '-i'], shellEnv());
  shell.type(
    `cd ${folder}; autoload -U compinit; compinit -u; source <(patient completion zsh); echo is-$((40+2))\n`,
  );
  await shell.prints('is-42');
  await tabs(shell);
  await expectNothingRun();
});

test('fish completes', async () => {
  const ask = async (line: string): Promise<string> => {
    const script = `cd ${folder}; patient completion fish | source; complete -C '${line}'`;
    const { stdout, stderr } = await run(['fish', '--no-config', '-c', script], shellEnv());
    expect(stderr).toBe('');
    return stdout;
  };
  expect(await ask('patient compl')).toMatch(/^completion\tprint the completion script/);
  expect(await ask('patient ps --phase deli')).toBe('delivering\n');
  expect(await ask('patient batch req')).toMatch(/requests\.jsonl/);
  expect(await ask('patient get "$(touch pwned)" --fai')).toMatch(/^--fail/);
  await expectNothingRun();
});

async function expectNothingRun(): Promise<void> {
  const { stdout } = await run(['ls', folder]);
  expect(stdout).not.toContain('pwned');
}
