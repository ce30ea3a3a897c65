// What every command needs before it can run: dependencies, then dist. Plain Node, because it runs
// before anything is installed.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const SOURCES = ['src', 'workflows', 'activities', 'examples', 'bench', 'test/chaos'];
/** What code reads at run time from beside itself. */
const DATA = ['src/web/locales', 'src/web/assets'];
const CONFIGS = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];

/** Installs what the lock file names where that is missing or older than the lock file. */
export function installDependencies() {
  const installed = modified(join(root, 'node_modules', '.package-lock.json'));
  if (installed > 0 && installed >= modified(join(root, 'package-lock.json'))) return;
  console.error('Installing dependencies (npm ci)');
  // Standard output belongs to the command that follows.
  const { status } = spawnSync('npm', ['ci'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (status !== 0) fail('npm ci failed');
}

/** Compiles to dist where a source is newer; `force` does so in any case. */
export function build({ force = false } = {}) {
  if (!force && isBuilt()) return;
  const started = new Date();
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  // Compiled beside dist and swapped in, so that what is running never sees half of it.
  const next = `${dist}-${process.pid}`;
  const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', next];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status === 0) {
    for (const folder of DATA) cpSync(join(root, folder), join(next, folder), { recursive: true });
    writeFileSync(join(next, '.built'), '');
    utimesSync(join(next, '.built'), started, started);
  }
  if (existsSync(next)) swapIn(next);
  if (status !== 0) fail('The build failed');
}

/**
 * Goes on as another script, in this process: a wrapper would have to pass on signals, and
 * Ctrl-C, which reaches a whole process group, would arrive twice.
 */
export async function become(script, args = []) {
  const path = join(root, script);
  process.argv.splice(1, Infinity, path, ...args);
  process.setSourceMapsEnabled(true);
  await import(pathToFileURL(path).href);
}

function swapIn(next) {
  const old = `${next}-old`;
  try {
    // Another build may put its own in between; then that one goes too.
    for (let tries = 3; ; tries--) {
      if (existsSync(dist)) renameSync(dist, old);
      try {
        return renameSync(next, dist);
      } catch (error) {
        if (tries === 0) throw error;
      }
      rmSync(old, { recursive: true, force: true });
    }
  } finally {
    rmSync(old, { recursive: true, force: true });
  }
}

function isBuilt() {
  const built = modified(join(dist, '.built'));
  const sources = SOURCES.map((name) => newest(join(root, name)));
  return built > Math.max(...sources, ...CONFIGS.map((name) => modified(join(root, name))));
}

function newest(folder) {
  if (!existsSync(folder)) return 0;
  // A folder's own time tells of files that were removed.
  return readdirSync(folder, { withFileTypes: true }).reduce((latest, entry) => {
    const path = join(folder, entry.name);
    return Math.max(latest, entry.isDirectory() ? newest(path) : modified(path));
  }, modified(folder));
}

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
