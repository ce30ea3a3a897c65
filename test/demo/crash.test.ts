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

async function file(...lines: object[]): Promise<string> {
  const path = join(folder, 'requests.jsonl');
  await writeFile(path, lines.map((line) => JSON.stringify(line)).join('\n'));
  return path;
}

test('--crash: a worker is killed, and nothing is lost', { timeout: 120_000 }, async () => {
  const path = await file(
    { repeat: 60, url: 'demo://slow-api/price?seconds=3' },
    { repeat: 20, url: 'demo://slow-api/pay?seconds=3', method: 'POST', json: { amount: 1 } },
  );
  const { code, stdout, stderr } = await run([MAIN, path, '--crash'], {
    TEMPORAL_CLI_PATH: inject('temporalCli'),
  });
  expect(code, stdout + stderr).toBe(0);
  const table = new Map(
    [...stdout.matchAll(/^(\S.*?) {2,}(\d+) +[\d.]+ s +[\d.]+ s$/gm)].map(([, outcome, calls]) => [
      outcome,
      Number(calls),
    ]),
  );
  const unknown = table.get('OutcomeUnknownError') ?? 0;
  expect(table.get('200')! + unknown).toBe(80);
  expect(unknown).toBeLessThanOrEqual(20);
  expect(stdout).toContain(
    `${unknown} of ${unknown} arrived, each exactly once (${unknown} in all)`,
  );
  expect(stdout).toMatch(/^Orphans found: +[1-9]\d* of worker \d+, killed while/m);
  expect(stdout).toMatch(/^Time to recover: +[\d.]+ s, .* \(leaseTtl 5 s\)$/m);
  expect(stdout).toMatch(/^Sent twice: +[1-9]\d*, of them 0 that may not be sent again$/m);
  expect(stdout).toMatch(/^Lost: +0$/m);
});

test('--crash without redis-server is one clear line and exit code 1', async () => {
  const path = await file({ url: 'demo://slow-api/price' });
  const { code, stdout, stderr } = await run([MAIN, path, '--crash'], { PATH: '' });
  expect(stderr).toMatch(/^demo: redis-server is not on the PATH; .*apt-get install.*\n$/);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
});

test('--crash on an API of others is one clear line', async () => {
  const path = await file({ url: 'http://127.0.0.1/' });
  const { code, stderr } = await run([MAIN, path, '--crash']);
  expect(stderr).toMatch(/^demo: --crash: .*demo:\/\/slow-api\n$/);
  expect(code).toBe(1);
});
