import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createBatchFiles } from '../../activities/batch-files.ts';
import { temporaryFolder } from '../payload/support.ts';

const MiB = 1024 * 1024;

test('a line is a spec, a URL, or a URL as JSON', async () => {
  await using folder = await temporaryFolder();
  const lines = ['# prices', '{"url":"http://a/1"}', 'http://a/2', '"http://a/\\u0033"', '"broken'];
  await writeFile(join(folder.path, 'in'), lines.join('\n'));
  const { requests } = await createBatchFiles(folder.path).readBatchFile('in', 0);
  expect(requests).toEqual([{ url: 'http://a/1' }, 'http://a/2', 'http://a/3', '"broken']);
});

test.each([
  [MiB - 1024, true],
  [MiB - 1023, false],
  [1.5 * MiB, false],
  [3 * MiB, false],
])('a line of %i bytes is taken: %s; it is named when it is not', async (bytes, isTaken) => {
  await using folder = await temporaryFolder();
  const short = Array.from({ length: 60_000 }, (_, i) => `http://a/${i}`);
  const long = JSON.stringify('x'.repeat(bytes - 2));
  await writeFile(join(folder.path, 'in'), [...short, long, 'http://b', ''].join('\n'));
  const { readBatchFile } = createBatchFiles(folder.path);
  const all = async (): Promise<unknown[]> => {
    const found: unknown[] = [];
    for (let offset: number | null = 0; offset !== null;) {
      const { requests, next } = await readBatchFile('in', offset);
      expect(JSON.stringify({ requests, cursor: next }).length).toBeLessThanOrEqual(MiB);
      found.push(...requests);
      offset = next;
    }
    return found;
  };
  if (isTaken) expect((await all()).length).toBe(60_002);
  else {
    await expect(all()).rejects.toThrow(
      'source.file: in:60001: expected at most 1047552 bytes in a line',
    );
  }
});

test('an attempt to write that comes too late leaves what was written meanwhile', async () => {
  await using folder = await temporaryFolder();
  const text = () => readFile(join(folder.path, 'out'), 'utf8');
  const { writeBatchFile } = createBatchFiles(folder.path, () => 60_000);
  const late = createBatchFiles(folder.path, () => 0);
  const end = await writeBatchFile('out', await writeBatchFile('out', 0, ['first']), ['second']);
  await expect(late.writeBatchFile('out', 0, ['first'])).rejects.toThrow(
    'sink.file: out was not written in time',
  );
  expect(await text()).toBe('"first"\n"second"\n');
  // The same attempt once more, and the batch after a reset: what was there before is replaced.
  expect(await writeBatchFile('out', 8, ['second'])).toBe(end);
  expect(await writeBatchFile('out', 0, ['other'])).toBe(8);
  expect(await text()).toBe('"other"\n');
});
