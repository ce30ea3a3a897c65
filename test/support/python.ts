import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDir } from '../../src/testing/temporal-cli.ts';

const run = promisify(execFile);
const INSTALL_TIMEOUT = 300_000;

/**
 * A folder of Python packages for `PYTHONPATH`, installed with pip once per machine, into the cache
 * folder and not the system. Unlike a virtual environment it can be filled and then renamed.
 */
export async function pythonLibrary(name: string, packages: string[]): Promise<string> {
  const { stdout } = await run('python3', [
    '-c',
    'import sys; print(sys.implementation.cache_tag)',
  ]);
  const build = [stdout.trim(), process.platform, process.arch].join('-');
  const pinned = packages.map((one) => one.replace(/\[.*\]/, '').replaceAll('==', '-'));
  const library = join(cacheDir(process.env), [...pinned, build].join('-'));
  if (await exists(library)) return library;

  await mkdir(join(library, '..'), { recursive: true });
  const folder = await mkdtemp(`${library}.`);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input'];
  const bounds = ['--only-binary=:all:', '--retries=1', '--timeout=15', '--target', folder];
  const args = [...pip, ...bounds, ...packages];
  console.log(`Downloading ${name} as Python packages, once`);
  try {
    await run('python3', args, { timeout: INSTALL_TIMEOUT });
    await rename(folder, library);
  } catch (cause) {
    // Another run may have been faster.
    if (!(await exists(library))) {
      throw new Error(`${name} cannot be installed: python3 ${args.join(' ')}`, { cause });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return library;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
