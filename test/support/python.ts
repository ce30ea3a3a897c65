import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDir } from '../../src/testing/temporal-cli.ts';

const run = promisify(execFile);
/** One installation for all tests: the SDK, and what its encryption takes. */
export const PYTHON_SDK = ['temporalio==1.35.0', 'cryptography==50.0.2'];

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

/**
 * Runs a script to its end, and gives what it printed. Python then ends without tidying up, in the
 * midst of which threads of Temporal's SDK can abort it ("PyGILState_Release").
 */
export async function runPython(
  script: string,
  args: string[],
  env: Record<string, string>,
): Promise<string> {
  const main =
    'import os, runpy, sys; sys.argv = sys.argv[1:]; sys.path.insert(0, os.path.dirname(sys.argv[0])); ' +
    "runpy.run_path(sys.argv[0], run_name='__main__'); sys.stdout.flush(); os._exit(0)";
  const { stdout } = await run('python3', ['-c', main, script, ...args], {
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...env },
  });
  return stdout;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
