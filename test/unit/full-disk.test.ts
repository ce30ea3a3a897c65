/** A limit of a process on its files stands for a full disk: both take a part of what is written. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../cli/process.ts';
import { temporaryFolder } from '../payload/support.ts';

/** What a module's code prints where a file holds 8 KB at most. */
async function printedBy(code: string, folder: string): Promise<string> {
  const script = `const folder = process.argv[1];\n${code}`;
  const limited = 'ulimit -f 8 && exec "$0" --input-type=module -e "$1" "$2"';
  const result = await run(['sh', '-c', limited, process.execPath, script, folder]);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  return result.stdout.trim();
}

test('a sink file that does not take all of it is an error', async () => {
  await using folder = await temporaryFolder();
  const code = `
    import { createBatchFiles } from './dist/activities/batch-files.js';
    const { writeBatchFile } = createBatchFiles(folder);
    const lines = Array(40).fill('x'.repeat(500));
    await writeBatchFile('sink', 0, lines).catch(({ code }) => console.log(code));
  `;
  expect(await printedBy(code, folder.path)).toBe('EFBIG');
});

test('what the results of a command do not take whole is not in them', async () => {
  await using folder = await temporaryFolder();
  const code = `
    import { Results } from './dist/src/cli/batch/results-file.js';
    const results = await Results.open(folder + '/results', 'all', false);
    const large = { index: 0, error: 'x'.repeat(20_000) };
    await results.write([large]).catch(({ code }) => console.log(code));
    await results.write([{ index: 1, error: 'x' }]);
  `;
  expect(await printedBy(code, folder.path)).toBe('EFBIG');
  expect(await readFile(join(folder.path, 'results'), 'utf8')).toBe('{"index":1,"error":"x"}\n');
});
