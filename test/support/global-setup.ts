import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { findTemporalCli } from '../../src/testing/temporal-cli.ts';
import { startTemporalServer } from '../../src/testing/temporal-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** `host:port` of the Temporal server that all tests share. */
    temporalAddress: string;
    /** Path of the CLI, for tests that start a server of their own to break it. */
    temporalCli: string;
  }
}

const BUILD_LIMIT = 3 * 60_000;

/** Once per run: dist, which tests start as processes, each bundle of workflows, and one Temporal server. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const build = fileURLToPath(new URL('../../scripts/build.mjs', import.meta.url));
  const built = spawnSync(process.execPath, [build, '--if-needed'], {
    stdio: ['ignore', 1, 2],
    timeout: BUILD_LIMIT,
  });
  if (built.status !== 0) console.error('Tests that start dist run what was emitted nevertheless.');

  const bundles = await mkdtemp(join(tmpdir(), 'patient-bundles-'));
  const cache = fileURLToPath(new URL('./bundle-cache.cjs', import.meta.url));
  Object.assign(process.env, { BUNDLE_CACHE: bundles, NODE_OPTIONS: `--require=${cache}` });

  const cli = await findTemporalCli({ log: console.log });
  console.log(cli.source);
  const server = await startTemporalServer({ cli: cli.path });
  project.provide('temporalAddress', server.address);
  project.provide('temporalCli', cli.path);
  return async () => {
    await server.stop();
    await rm(bundles, { recursive: true });
  };
}
