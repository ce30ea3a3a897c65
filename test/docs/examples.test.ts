/* The examples of docstrings: fragments, so what they stand in is declared here, and they are checked. */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { read, repositoryFiles, root } from './pages.ts';

const AROUND = `
import { Client, Connection } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { log } from '@temporalio/workflow';
import { hmacSigner, openFleet, PatientClient, PatientPlugin } from 'patient-http';
import { defineCallback, patient } from 'patient-http/workflow';
import {
  assertSentOnce, callbackOf, createInlineActivities, runInline, startTargetServer,
  startTemporalServer, startTestEnvironment, type TestEnvironment,
} from 'patient-http/testing';
declare const client: Client;
declare const env: TestEnvironment;
declare const url: string;
declare const json: object;
declare const callback: string;
declare const workflowsPath: string;
declare function fetchPrice(url: string): Promise<number>;
declare function orderPriced(): void;
`;

/** `src/client.ts:72` and what stands there. */
function examples(): [place: string, text: string][] {
  const sources = repositoryFiles('.ts').filter((file) => /^(src|workflows)\//.test(file));
  return sources.flatMap((file) => {
    const text = read(file);
    const found = text.matchAll(/^ *\* @example\n((?: *\*(?! @|\/).*\n)*)/gm);
    return Array.from(found, ({ 1: lines = '', index }): [string, string] => [
      `${file}:${text.slice(0, index).split('\n').length}`,
      lines.replace(/^ *\* ?/gm, '').replace(/^export /gm, ''),
    ]);
  });
}

test('they are true to the types', () => {
  const found = examples();
  expect(found.length).toBeGreaterThan(10);
  const bodies = found.map(([place, text]) => `// ${place}\nvoid (async () => {\n${text}});`);
  const file = fileURLToPath(new URL('dist/docstring-examples.ts', root));
  writeFileSync(file, [AROUND, ...bodies].join('\n'));
  const options = ['--noEmit', '--ignoreConfig', '--strict', '--skipLibCheck'];
  const target = [
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--lib',
    'es2024',
    '--types',
    'node',
  ];
  try {
    execFileSync('npx', ['tsc', ...options, ...target, file], {
      cwd: fileURLToPath(root),
      encoding: 'utf8',
    });
  } catch (error) {
    expect((error as { stdout: string }).stdout).toBe('');
  } finally {
    rmSync(file);
  }
});
