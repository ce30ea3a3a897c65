import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBatchFiles, MAX_LINE, parseLine } from '../../../activities/batch-files.ts';
import { checkSpec } from '../../config/request-spec.ts';
import { RequestError } from '../../shared/errors.ts';
import { looseSpec } from '../../shared/loose-spec.ts';
import { checkSize } from '../../shared/spec-size.ts';
import { mergeTemplates } from '../../shared/template.ts';
import type { RequestSpec } from '../../shared/wire.ts';
import type { SourcePage } from '../../shared/wire-batch.ts';
import { UsageError } from '../failure.ts';
import { linesOf } from './lines.ts';

export interface RequestsFile extends AsyncDisposable {
  /** Of its bytes. */
  readonly digest: string;
  readonly total: number;
  /** The requests from a byte offset on, as a batch's source gives them. */
  read(offset: number): Promise<SourcePage>;
}

/**
 * Reads the whole file once, so that a wrong line is named before anything is sent.
 * @throws UsageError
 */
export async function openRequests(file: string, defaults: object): Promise<RequestsFile> {
  const name = file === '-' ? 'standard input' : file;
  const spool = await spoolOf(file);
  const path = spool?.path ?? resolve(file);
  try {
    const total = await check(path, name, defaults);
    if (total === 0) throw new UsageError(`${name}: no request in it`);
    const digest = await digestOf(path);
    const files = createBatchFiles(dirname(path));
    return {
      digest,
      total,
      async read(offset) {
        const { requests, next } = await files.readBatchFile(basename(path), offset);
        return { requests: requests as SourcePage['requests'], cursor: next };
      },
      async [Symbol.asyncDispose]() {
        await spool?.remove();
      },
    };
  } catch (error) {
    await spool?.remove();
    throw error;
  }
}

interface Spool {
  path: string;
  remove: () => Promise<void>;
}

/**
 * What can be read once alone, standard input or `<(…)`, as a file: a source is read by offset, and a
 * batch's id is made of all of it.
 */
async function spoolOf(file: string): Promise<Spool | undefined> {
  if (file === '-') return spool(process.stdin);
  const found = await stat(file).catch((cause: unknown) => {
    throw new UsageError(`cannot read ${file}`, { cause });
  });
  if (found.isDirectory()) throw new UsageError(`cannot read ${file}: it is a folder`);
  return found.isFile() ? undefined : spool(createReadStream(file));
}

async function spool(input: Readable): Promise<Spool> {
  const folder = await mkdtemp(join(tmpdir(), 'patient-batch-'));
  const path = join(folder, 'requests.jsonl');
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await pipeline(input, createWriteStream(path, { mode: 0o600 }));
    return { path, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function check(path: string, name: string, defaults: object): Promise<number> {
  let number = 0;
  let total = 0;
  for await (const line of linesOf(path)) {
    number++;
    const spec = parseLine(line.toString());
    if (spec === undefined) continue;
    total++;
    const problem =
      line.length > MAX_LINE
        ? `expected at most ${MAX_LINE} bytes in a line, got ${line.length}`
        : problemOf(spec, defaults);
    if (problem !== undefined) throw new UsageError(`${name}:${number}: ${problem}`);
  }
  return total;
}

function problemOf(spec: object | string, defaults: object): string | undefined {
  if (typeof spec === 'string' && spec.startsWith('{')) return 'expected a URL or JSON';
  try {
    checkSize(spec);
    checkSpec(mergeTemplates(defaults, looseSpec(spec) as RequestSpec));
    return undefined;
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return error.message;
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
