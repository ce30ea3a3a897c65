import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRequests } from '../../src/cli/batch/requests-file.ts';
import { Results } from '../../src/cli/batch/results-file.ts';
import type { SinkItem } from '../../src/shared/wire-batch.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patient-batch-files-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test('a line ends with a newline and with nothing else', async () => {
  const text = 'a\u2028b\u2029c\u0085d';
  const requests = join(folder, 'separators.jsonl');
  const spec = { url: 'http://127.0.0.1/', method: 'POST', json: text };
  await writeFile(requests, `${JSON.stringify(spec)}\r\n\n${JSON.stringify(spec)}`);
  await using opened = await openRequests(requests, {});
  expect(opened.total).toBe(2);
  expect(await opened.read(0)).toEqual({ requests: [spec, spec], cursor: null });

  const file = join(folder, 'separators.out');
  const item = { index: 7, error: { message: text } } as SinkItem;
  {
    await using results = await Results.open(file, 'all', false);
    await results.write([item]);
  }
  await using again = await Results.open(file, 'all', true);
  expect(again.count).toBe(1);
});

test('a line that is too long for a batch is named before anything is sent', async () => {
  const file = join(folder, 'long.jsonl');
  const spec = { url: 'http://127.0.0.1/', method: 'POST', body: 'x'.repeat(1_100_000) };
  await writeFile(file, `"http://127.0.0.1/"\n${JSON.stringify(spec)}\n`);
  await expect(openRequests(file, {})).rejects.toThrow(
    `${file}:2: expected at most 1047552 bytes in a line, got 11000`,
  );
});
