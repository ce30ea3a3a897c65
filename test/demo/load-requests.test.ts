import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InputError, loadRequests, resolveUrl } from '../../examples/demo/load-requests.ts';

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patient-demo-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function load(...lines: unknown[]) {
  const path = join(folder, 'requests.jsonl');
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
  await writeFile(path, text.join('\r\n'));
  return loadRequests(path);
}

test('the example is 1,000 requests, its kinds evenly mixed', async () => {
  const path = fileURLToPath(new URL('../../examples/requests.jsonl', import.meta.url));
  const requests = await loadRequests(path);
  expect(requests).toHaveLength(1000);
  const places = requests.flatMap(({ url }, i) => (url.includes('/status/404') ? [i] : []));
  expect(places[0]).toBeLessThan(100);
  expect(places.at(-1)).toBeGreaterThan(900);
});

test('a list of URLs, with comments and empty lines', async () => {
  expect(await load('# mine', 'https://a.example/1', '', '  https://a.example/2  ')).toEqual([
    { url: 'https://a.example/1' },
    { url: 'https://a.example/2' },
  ]);
});

test('only the name of the slow API is replaced', () => {
  const origin = 'http://127.0.0.1:1';
  expect(resolveUrl({ url: 'demo://slow-api/a?b=1' }, origin).url).toBe(`${origin}/a?b=1`);
  expect(resolveUrl({ url: 'https://a.example/demo' }, origin).url).toBe('https://a.example/demo');
});

test.for<[line: unknown, message: RegExp]>([
  ['{"url": ', /line 2: not JSON/],
  [{ url: 'demo://slow-api/price', timeout: -5 }, /line 2: timeout: expected .*, got -5/],
  [{ url: 'demo://slow-api/price', colour: 'red' }, /line 2: colour: unknown field/],
  [{ url: 'demo://slow-api/price', repeat: 0 }, /line 2: repeat: expected .*, got 0/],
  [{ url: 'demo://slow-api/price', repeat: '9' }, /line 2: repeat: expected .*, got 9/],
  [{ url: 'demo://slow-api/price', result: 'none' }, /line 2: result: the demo sets this/],
  [{ url: 'demo://slow-api/price', callback: 'other' }, /line 2: callback: the demo has but one/],
  [{ json: 1 }, /line 2: url: /],
  ['ftp://example.com/a', /line 2: url: /],
  ['not a url', /line 2: url: /],
])('a wrong line is refused with its number: %j', async ([line, message]) => {
  const failure = load('demo://slow-api/price', line);
  await expect(failure).rejects.toThrow(InputError);
  await expect(failure).rejects.toThrow(message);
});

test('a file that is missing or empty', async () => {
  await expect(load('# nothing')).rejects.toThrow('holds no requests');
  await expect(loadRequests(join(folder, 'none'))).rejects.toThrow(/none cannot be read: ENOENT/);
});
