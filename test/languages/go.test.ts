import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectToShow, startWorld } from './example.ts';

const run = promisify(execFile);
const cwd = fileURLToPath(new URL('../../examples/go/', import.meta.url));

/** A first build compiles Temporal's SDK and gRPC: 85 s of CPU. Go keeps what it has built. */
const BUILD_TIMEOUT = 220_000;

const hasGo = spawnSync('go', ['version']).status === 0;
if (!hasGo)
  console.log(
    'The workflows in Go are not run: there is no go on the PATH (apt-get install golang-go)',
  );

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patient-go-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function go(...args: string[]): Promise<void> {
  await run('go', args, { cwd, timeout: BUILD_TIMEOUT });
}

test.skipIf(!hasGo)(
  'workflows in Go: a GET, a failure, a callback, a batch',
  { timeout: BUILD_TIMEOUT + 60_000 },
  async () => {
    const program = join(folder, 'example');
    await go('build', '-o', program, '.');
    await using world = await startWorld();
    const env = { ...process.env, ...world.variables };
    const { stdout, stderr } = await run(program, [world.base], { env });
    expect(stderr).toBe('');
    expectToShow(stdout, '{"waited":1000}');
  },
);

test.skipIf(!hasGo)('its types have the fields of the schemas', { timeout: BUILD_TIMEOUT }, () =>
  go('test', './patienthttp'),
);
