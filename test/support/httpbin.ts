import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDir } from '../../src/testing/temporal-cli.ts';
import { start } from '../cli/process.ts';

const run = promisify(execFile);
const PACKAGES = ['httpbin==0.10.4', 'gunicorn==27.0.1'];
const INSTALL_TIMEOUT = 120_000;

export interface Httpbin extends AsyncDisposable {
  readonly origin: string;
  url(path: string): string;
}

/** httpbin under gunicorn, a server that knows nothing of us, out of our cache of downloads. */
export async function startHttpbin(): Promise<Httpbin> {
  const library = await install();
  const server = start(
    [
      ...['python3', '-m', 'gunicorn', '--bind', '127.0.0.1:0', '--no-control-socket'],
      ...['--worker-class', 'gthread', '--threads', '16', 'httpbin:app'],
    ],
    { PYTHONPATH: library, PYTHONDONTWRITEBYTECODE: '1' },
  );
  try {
    await server.prints(/Listening at: http\S+/);
    await server.prints('Booting worker');
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  const [origin] = /http:\/\/127\.0\.0\.1:\d+/.exec(server.stderr)!;
  return {
    origin,
    url: (path) => origin + path,
    async [Symbol.asyncDispose]() {
      // Its worker too: at once, without waiting for connections.
      server.kill('SIGQUIT');
      await server.end();
    },
  };
}

/** A folder of Python packages: unlike a virtual environment it can be filled and then renamed. */
async function install(): Promise<string> {
  const { stdout } = await run('python3', [
    '-c',
    'import sys; print(sys.implementation.cache_tag)',
  ]);
  const build = [stdout.trim(), process.platform, process.arch].join('-');
  const library = join(
    cacheDir(process.env),
    `${PACKAGES.join('-').replaceAll('==', '-')}-${build}`,
  );
  if (await exists(library)) return library;

  await mkdir(join(library, '..'), { recursive: true });
  const folder = await mkdtemp(`${library}.`);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input'];
  const bounds = ['--only-binary=:all:', '--retries=1', '--timeout=15', '--target', folder];
  const args = [...pip, ...bounds, ...PACKAGES];
  console.log('Downloading httpbin and gunicorn as Python packages (about 5 MB, once)');
  try {
    await run('python3', args, { timeout: INSTALL_TIMEOUT });
    await rename(folder, library);
  } catch (cause) {
    // Another run may have been faster.
    if (!(await exists(library))) {
      throw new Error(`httpbin cannot be installed: python3 ${args.join(' ')}`, { cause });
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
