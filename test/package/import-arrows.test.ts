import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

const ARROW = 'eslint(no-restricted-imports)';

const refused = [
  ['src/shared', `import 'node:fs';`],
  ['src/shared', `import type { Agent } from 'undici';`],
  ['src/shared', `import type { Task } from '../processor/task.ts';`],
  ['src/shared', `import { z } from 'zod';`],
  ['workflows', `import { z } from 'zod';`],
  ['workflows', `import '../src/config/options.ts';`],
  ['workflows', `import { Client } from '@temporalio/client';`],
  ['workflows', `import 'pino';`],
  ['workflows', `import '../activities/submit.ts';`],
  ['workflows', `await import('node:crypto');`],
  ['activities', `import '../src/http/transport.ts';`],
  ['activities', `import '../src/liveness/memory.ts';`],
  ['activities', `import { Client } from '@temporalio/client';`],
  ['src/config', `import '../http/prepare.ts';`],
  ['src/http', `import '../processor/processor.ts';`],
  ['src/http', `import '@temporalio/common';`],
  ['src/processor', `import type { Info } from '@temporalio/activity';`],
  ['src/processor', `import type { Agent } from 'undici';`],
  ['src/processor', `import { Redis } from 'ioredis';`],
  ['src/processor', `import '../http/transport.ts';`],
  ['src/processor', `export * from '../completion/outcome.ts';`],
  ['src/completion', `import '../liveness/memory.ts';`],
  ['src/completion', `import 'undici';`],
  ['src/liveness', `import '../processor/processor.ts';`],
  ['src/liveness', `import type { Client } from '@temporalio/client';`],
  ['src/flow', `import 'ioredis';`],
  ['src/fleet', `import 'ioredis';`],
  ['src/fleet', `import '../processor/processor.ts';`],
  ['src/fleet', `import type { Client } from '@temporalio/client';`],
  ['src/payload', `import '../processor/processor.ts';`],
  ['src/payload', `import '../completion/outcome.ts';`],
  ['src/payload', `import '../liveness/redis.ts';`],
  ['src/payload', `import { Client } from '@temporalio/client';`],
  ['src/completion', `import '../payload/patient-codec.ts';`],
  ['src/web', `import { Client } from '@temporalio/client';`],
  ['src/web', `import '../processor/processor.ts';`],
  ['src/telemetry', `import { Agent } from 'undici';`],
  ['src/telemetry', `import '../processor/processor.ts';`],
  ['src/worker.ts', `import '@opentelemetry/api';`],
  ['src/testing', `import { MockAgent } from 'undici';`],
  ['src/index.ts', `export { Client } from '@temporalio/client';`],
  ['src/worker.ts', `import 'ioredis';`],
  ['src/playground', `import 'undici';`],
  ['src/playground/workflows', `import '../rounds.ts';`],
  ['src/playground/workflows', `import { Client } from '@temporalio/client';`],
].map(([where, code]) => ({ where, code, rule: ARROW }));

const allowed = [
  ['src/http', `import { Agent } from 'undici';\nimport type {} from '../processor/transport.ts';`],
  ['src/processor', `import type {} from '../liveness/port.ts';`],
  ['src/processor', `import { setTimeout } from 'node:timers/promises';`],
  ['src/completion', `import { Client } from '@temporalio/client';`],
  ['src/liveness', `import { Redis } from 'ioredis';`],
  ['src/payload', `import '../shared/errors.ts';\nimport { Redis } from 'ioredis';`],
  ['src/payload', `import '@temporalio/proto';\nimport '@aws-sdk/client-s3';`],
  ['src/cli', `import { Connection } from '@temporalio/client';`],
  ['src/web', `import 'hono';\nimport '@hono/node-server';\nimport '../fleet/port.ts';`],
  ['src/web', `export type { Client } from '@temporalio/client';`],
  ['src/telemetry', `import '@opentelemetry/api';\nimport type {} from '../processor/task.ts';`],
  ['src/plugin.ts', `import { Client } from '@temporalio/client';`],
  ['src/playground', `import { Client } from '@temporalio/client';`],
  ['src/playground/workflows', `import '../../../workflows/index.ts';\nimport '../shared.ts';`],
  ['workflows', `import '@temporalio/workflow';\nimport '../src/shared/wire.ts';`],
  ['activities', `import '../src/processor/processor.ts';\nimport '@temporalio/activity';`],
  ['test', `import { Agent } from 'undici';`],
  ['bench', `import { Agent } from 'undici';`],
].map(([where, code]) => ({ where, code, rule: undefined }));

const habits = [
  ['src/web', `export const a = async () => {};\na();`, 'typescript(no-floating-promises)'],
  ['src/web', `if (Promise.resolve(1)) throw new Error();`, 'typescript(no-misused-promises)'],
  ['src/web', `import { type Agent } from 'x';`, 'typescript(no-import-type-side-effects)'],
  [
    'src/web/cycle-a.ts',
    `import { b } from './cycle-b.ts';\nexport const a = b;`,
    'import(no-cycle)',
  ],
  [
    'src/web/cycle-b.ts',
    `import { a } from './cycle-a.ts';\nexport const b = a;`,
    'import(no-cycle)',
  ],
].map(([where, code, rule]) => ({ where, code, rule }));

/** Files with one offence each, linted once, with the project's own rules. */
const plants = [...refused, ...allowed, ...habits].map(
  ({ where = '', code = '', rule }, index) => ({
    file: where.endsWith('.ts') ? where : `${where}/plant-${index}.ts`,
    code,
    rule,
  }),
);
const found = new Map<string, string[]>();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patient-lint-'));
  for (const name of ['.oxlintrc.json', 'tsconfig.json', 'package.json'])
    await copyFile(join(root, name), join(folder, name));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const { file, code } of plants) {
    await mkdir(join(folder, dirname(file)), { recursive: true });
    await writeFile(join(folder, file), `${code}\n`);
  }
  const oxlint = join(root, 'node_modules', '.bin', 'oxlint');
  const folders = new Set(plants.map(({ file }) => file.split('/')[0] ?? ''));
  const { stdout } = spawnSync(oxlint, ['--type-aware', '-f', 'json', ...folders], {
    cwd: folder,
    encoding: 'utf8',
  });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { filename: string; code: string }[];
  };
  for (const { filename, code } of diagnostics)
    found.set(filename, [...(found.get(filename) ?? []), code]);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test.each(plants.filter(({ rule }) => rule))('lint refuses $code in $file', ({ file, rule }) => {
  expect(found.get(file)).toContain(rule);
});

test.each(plants.filter(({ rule }) => !rule))('lint allows $code in $file', ({ file }) => {
  expect(found.get(file) ?? []).not.toContain(ARROW);
});
