import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type Logger } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** What the SDK itself brings into every workflow bundle. */
const SDK = ['@temporalio/common', '@temporalio/workflow', 'long', 'ms', 'nexus-rpc'];
const LEVELS = ['log', 'trace', 'debug', 'info', 'warn', 'error'];

/** In the repository, so that packages resolve as they do for `workflows/`. */
let folder: string;
beforeAll(async () => {
  await mkdir(path('../../.cache'), { recursive: true });
  folder = await mkdtemp(path('../../.cache/bundle-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function bundle(workflowsPath: string): Promise<{ code: string; packages: string[] }> {
  const silent = Object.fromEntries(LEVELS.map((level) => [level, () => {}])) as unknown as Logger;
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: silent });
  const modules = code.matchAll(/node_modules\/((?:@[^/"'\s]+\/)?[^/"'\s]+)\//g);
  return { code, packages: [...new Set(Array.from(modules, ([, name = '']) => name))].sort() };
}

async function planted(code: string): Promise<string> {
  const file = join(folder, `${Math.random()}.ts`);
  await writeFile(file, code);
  return file;
}

test.each(['../../workflows/', '../../dist/workflows/'])(
  '%s is fit for the sandbox',
  async (entry) => {
    const { code, packages } = await bundle(path(entry));
    expect(SDK).toEqual(expect.arrayContaining(packages));
    expect(code.length).toBeLessThan(2_300_000);
  },
);

test('a package in workflow code would be seen', async () => {
  const { packages } = await bundle(await planted(`export { z } from 'zod';`));
  expect(packages).toContain('zod');
});

test('a Node module in workflow code would be refused', async () => {
  const entry = await planted(`export { readFile } from 'node:fs/promises';`);
  await expect(bundle(entry)).rejects.toThrow();
});
