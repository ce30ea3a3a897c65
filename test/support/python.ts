import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Temporal's Python SDK, and a server that speaks the S3 protocol. */
const PACKAGES = ['temporalio==1.35.0', 'cryptography', 'moto[s3]==5.2.5', 'flask', 'flask-cors'];
/** Of the list above; another list is another folder. */
const VERSION = '1';
const INSTALL_TIMEOUT = 300_000;

let installed: Promise<NodeJS.ProcessEnv> | undefined;

/**
 * The environment in which `python3` finds {@link PACKAGES}: installed with pip, once per machine,
 * beside the Temporal CLI in the cache folder, and not into the system.
 */
export function pythonEnvironment(): Promise<NodeJS.ProcessEnv> {
  return (installed ??= install());
}

async function install(): Promise<NodeJS.ProcessEnv> {
  const cache =
    process.env['PATIENT_CACHE_DIR'] ??
    join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'patient-http');
  const { stdout } = await run('python3', [
    '-c',
    'import sys; print(sys.implementation.cache_tag)',
  ]);
  const folder = join(cache, `python-${VERSION}-${stdout.trim()}`);
  if (!existsSync(folder)) {
    await mkdir(cache, { recursive: true });
    const unfinished = await mkdtemp(join(cache, 'tmp-'));
    try {
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
      const bounds = ['--only-binary=:all:', '--retries=1', '--timeout=15', '--target', unfinished];
      await run('python3', [...pip, ...bounds, ...PACKAGES], { timeout: INSTALL_TIMEOUT });
      // Test files of one run install at the same time; the first one's folder serves all.
      await rename(unfinished, folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      });
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  }
  return { ...process.env, PYTHONPATH: folder, PYTHONUNBUFFERED: '1' };
}
