import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { run } from './process.ts';
import { MAIN, startWorld, type World } from './world.ts';

let world: World;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patient-batch-test-'));
  world = await startWorld();
  await world.worker();
});

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

interface ResultLine {
  index: number;
  response?: { status: number; body: string | null };
  error?: { type: string };
}

async function requests(name: string, lines: string[]): Promise<string> {
  const file = join(folder, `${name}.jsonl`);
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

async function results(file: string): Promise<ResultLine[]> {
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as ResultLine).toSorted((a, b) => a.index - b.index);
}

test('results of a file, in full; run again it is the same batch', async () => {
  const { target } = world;
  const file = await requests('mixed', [
    '# a comment, and an empty line',
    '',
    target.url('/status/200?body=one'),
    JSON.stringify({ url: target.url('/status/503?body=two'), retry: { maximumAttempts: 1 } }),
    JSON.stringify({ url: 'http://127.0.0.1:1', retry: { maximumAttempts: 1 } }),
  ]);
  const output = join(folder, 'mixed.out');
  const args = ['batch', file, '-o', output, '--chunk-size', '2'];
  const { code, stdout, stderr } = await world.patient(...args);
  expect(code, stderr).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ succeeded: 2, failed: 1, written: 3 });
  const lines = await results(output);
  expect(lines).toMatchObject([
    { index: 0, response: { status: 200, body: 'one' } },
    { index: 1, response: { status: 503, body: 'two' } },
    { index: 2, error: { type: 'ConnectionError' } },
  ]);

  const hits = target.total;
  const again = await world.patient(...args);
  expect(again.code).toBe(1);
  expect(again.stderr).toMatch(/was started .+ ago; going on/);
  expect(JSON.parse(again.stdout)).toEqual(JSON.parse(stdout));
  expect(await results(output)).toEqual(lines);
  expect(target.total).toBe(hits);
});

test('interrupted, it goes on where it was: every request once, every result once', async () => {
  const { target } = world;
  const urls = Array.from({ length: 40 }, (_, i) => target.url(`/delay/200?item=${i}`));
  const file = await requests('slow', urls);
  const output = join(folder, 'slow.out');
  const args = ['batch', file, '-o', output, '--chunk-size', '2', '--concurrency', '2'];
  const before = target.total;
  await using first = world.started(...args);
  const size = (): Promise<number> =>
    stat(output).then(
      ({ size: bytes }) => bytes,
      () => 0,
    );
  await waitFor(async () => (await size()) > 0, { timeout: 60_000 });
  first.kill('SIGINT');
  const { code, stderr } = await first.end();
  expect(code).toBe(130);
  expect(stderr).toMatch(/batch patient-batch-\w+ waits for this command: the same one goes on/);

  const taken = await size();
  await using second = world.started(...args);
  await waitFor(async () => (await size()) > taken, { timeout: 60_000 });
  second.kill('SIGKILL');
  await second.end();
  // As a process that is killed would leave it.
  await writeFile(output, '{"index":', { flag: 'a' });

  const summary = await world.json('batch', file, '-o', output);
  expect(summary).toMatchObject({ succeeded: 40, failed: 0, written: 40 });
  const lines = await results(output);
  expect(lines.map(({ index }) => index)).toEqual(urls.map((_, index) => index));
  expect(target.total - before).toBe(40);
});

test('from standard input to standard output, without bodies', async () => {
  const lines = [1, 2, 3].map((i) => JSON.stringify({ url: world.target.url(`/echo?n=${i}`) }));
  const args = ['batch', '-', '--keep', 'status', '--defaults', '{"method": "POST"}'];
  const { code, stdout, stderr } = await run([MAIN, ...args], world.env, lines.join('\n'));
  expect(code, stderr).toBe(0);
  const printed = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ResultLine);
  expect(printed).toHaveLength(3);
  for (const { response } of printed) {
    expect(response).toMatchObject({ status: 200, method: 'POST', body: null });
  }
  expect(stderr).toContain('3 succeeded, 0 failed');
});

test('a pipe is a file, and its batch is sent once more by its command alone', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const id = `pipe-${randomUUID()}`;
  await using batch = world.started('batch', pipe, '--keep', 'status', '--workflow-id', id);
  await writeFile(pipe, `${world.target.url('/echo?pipe')}\n`);
  const { code, stderr } = await batch.end();
  expect(code, stderr).toBe(0);
  expect(stderr).toContain('1 succeeded, 0 failed');

  const all = await world.patient('redrive', id);
  expect(all).toMatchObject({ code: 2, stdout: '' });
  expect(all.stderr).toContain('the same command with another --workflow-id sends them once more');
  const { runId } = await world.json<{ runId: string }>('show', id);
  const one = await world.patient('redrive', `${id}/${runId}/0`);
  expect(one).toMatchObject({ code: 2, stdout: '' });
  expect(one.stderr).toContain(`is one request of batch ${id}`);
});

test('a terminal gets a bar', async () => {
  const urls = Array.from({ length: 10 }, (_, i) => world.target.url(`/delay/1500?bar=${i}`));
  const file = await requests('bar', urls);
  await using terminal = world.terminal('batch', file, '-o', join(folder, 'bar.out'));
  const { code, stdout } = await terminal.end();
  expect(code).toBe(0);
  expect(stdout).toMatch(/\[?[=█░-]+\]? 0% \| 0\/10/);
  expect(stdout).toMatch(/\ds, \? left/);
  expect(stdout).not.toMatch(/INF|NULL/);
  expect(stdout).toContain('10 succeeded, 0 failed');
});

test.for<[name: string, lines: string[], args: string[], message: RegExp]>([
  ['a wrong line', ['http://x', '{"url": "ftp://x"}'], [], /wrong\.jsonl:2: url: expected an http/],
  ['a line that is no JSON', ['{"url":'], [], /wrong\.jsonl:1: expected a URL or JSON/],
  ['no line', ['# nothing'], [], /wrong\.jsonl: no request in it/],
  [
    'wrong defaults',
    ['http://x'],
    ['--defaults', '{"foo": 1}'],
    /wrong\.jsonl:1: foo: unknown field/,
  ],
  [
    'a wrong number',
    ['http://x'],
    ['--chunk-size', 'many'],
    /--chunk-size: expected an integer, got "many"/,
  ],
  [
    'one too large',
    ['http://x'],
    ['--chunk-size', '2000'],
    /chunkSize: expected an integer from 1 to 1000/,
  ],
  ['a wrong choice', ['http://x'], ['--keep', 'some'], /Allowed choices are all, status, none/],
  [
    'results nowhere',
    ['http://x'],
    ['--keep', 'none', '-o', 'x'],
    /--output: expected none beside --keep none/,
  ],
])('nothing is sent for %s', async ([, lines, args, message]) => {
  const file = await requests('wrong', lines);
  const { code, stdout, stderr } = await world.patient('batch', file, ...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(message);
});

test("results do not go into another batch's file, nor a batch's into none", async () => {
  const file = await requests('other', [world.target.url('/echo?other')]);
  const output = join(folder, 'other.out');
  await writeFile(output, '{"index":0}\n');
  const taken = await world.patient('batch', file, '-o', output);
  expect(taken.code).toBe(2);
  expect(taken.stderr).toContain('is not empty, and this batch is new');
  const missing = await world.patient('batch', join(folder, 'nowhere.jsonl'));
  expect(missing).toMatchObject({ code: 2, stdout: '' });
  expect(missing.stderr).toMatch(/cannot read .*nowhere\.jsonl: ENOENT/);
  const instead = await world.patient('batch', folder);
  expect(instead).toMatchObject({
    code: 2,
    stderr: `patient: cannot read ${folder}: it is a folder\n`,
  });
});
