import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { run } from '../cli/process.ts';

const MAIN = 'dist/examples/demo/main.js';
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patient-demo-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(...lines: unknown[]): Promise<string> {
  const path = join(folder, 'requests.jsonl');
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
  await writeFile(path, text.join('\n'));
  return path;
}

test('every call and every callback arrives, and the table says how', async () => {
  const path = await file(
    '# forty in all',
    { repeat: 30, url: 'demo://slow-api/price?seconds=0.1' },
    { repeat: 4, url: 'demo://slow-api/busy-once', retry: { initialInterval: 1 } },
    { repeat: 2, url: 'demo://slow-api/status/404', raiseErrorResponses: true },
    {
      repeat: 3,
      url: 'demo://slow-api/large?bytes=9',
      maxResponseSize: 8,
      callback: 'callEnded',
    },
    { method: 'POST', url: 'demo://slow-api/reset', json: {}, callback: 'callEnded' },
  );
  const { code, stdout, stderr } = await run([MAIN, path], {
    TEMPORAL_CLI_PATH: inject('temporalCli'),
  });
  expect(code, stdout + stderr).toBe(0);
  const rows: [outcome: string, calls: number][] = [
    ['200', 30],
    ['200 (try 2)', 4],
    ['ConnectionError', 1],
    ['HttpStatusError 404', 2],
    ['ResponseTooLargeError', 3],
    ['all', 40],
  ];
  for (const [outcome, calls] of rows) {
    const name = outcome.replace(/[()]/g, '\\$&');
    expect(stdout).toMatch(new RegExp(`^${name} +${calls} +[\\d.]+ s +[\\d.]+ s$`, 'm'));
  }
  expect(stdout).toContain('40/40 calls done, 0 in flight, 6 failed');
  expect(stdout).toContain('6 of 6 arrived, each exactly once (6 in all)');
  expect(stdout).toMatch(/All 40 calls: +[\d.]+ s, peak \d+ in flight at the API/);
  expect(stdout).toMatch(/Plain fetch: .* for 40 calls.*\n.*100 slots; extrapolated from 39 calls/);
});

test('a wrong line is one clear line and exit code 1', async () => {
  const path = await file('# one', 'demo://slow-api/price', { url: 'ftp://example.com/a' });
  const { code, stdout, stderr } = await run([MAIN, path]);
  expect(stderr).toMatch(/^demo: \S+requests\.jsonl, line 3: url: .*\n$/);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
});

test('wrong usage is exit code 2; --help is help', async () => {
  expect(await run([MAIN, '--fast'])).toMatchObject({ code: 2 });
  expect(await run([MAIN, '--sample', 'x'])).toMatchObject({ code: 2 });
  const { code, stdout } = await run([MAIN, '--help']);
  expect(stdout).toContain('Usage: npm run demo');
  expect(code).toBe(0);
});
