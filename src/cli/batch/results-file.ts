import { once } from 'node:events';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { statusOnly } from '../../shared/batch.ts';
import type { KeepMode, SinkItem } from '../../shared/wire-batch.ts';
import { UsageError } from '../failure.ts';
import { linesOf } from './lines.ts';

/** Where results go: each once, though a batch's sink may be called twice for one. */
export class Results implements AsyncDisposable {
  readonly #written: Set<number>;
  readonly #file: FileHandle | undefined;
  readonly #keep: KeepMode;

  private constructor(file: FileHandle | undefined, written: Set<number>, keep: KeepMode) {
    this.#file = file;
    this.#written = written;
    this.#keep = keep;
  }

  /**
   * @param goesOn whether the batch was started before: then what is there is part of its results
   * @throws UsageError for a file that cannot be written, or that holds something else
   */
  static async open(file: string | undefined, keep: KeepMode, goesOn: boolean): Promise<Results> {
    if (file === undefined) return new Results(undefined, new Set(), keep);
    const { size } = await stat(file).catch(() => ({ size: 0 }));
    if (size > 0 && !goesOn) {
      throw new UsageError(`--output: ${file} is not empty, and this batch is new`);
    }
    const { written, end } = size > 0 ? await readResults(file) : { written: [], end: 0 };
    const handle = await open(file, 'a').catch((cause: unknown) => {
      throw new UsageError(`--output: cannot write ${file}`, { cause });
    });
    // What a process that died had begun to write.
    await handle.truncate(end);
    return new Results(handle, new Set(written), keep);
  }

  get count(): number {
    return this.#written.size;
  }

  /** Resolves when they are on disk, or taken by whoever reads standard output. */
  async write(items: SinkItem[]): Promise<void> {
    const fresh = items.filter(({ index }) => !this.#written.has(index));
    const text = fresh.map((item) => `${JSON.stringify(this.#kept(item))}\n`).join('');
    if (this.#file) {
      await appendAll(text, this.#file);
    } else if (!process.stdout.write(text)) {
      await once(process.stdout, 'drain');
    }
    for (const { index } of fresh) this.#written.add(index);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
  }

  #kept(item: SinkItem): SinkItem {
    const isShort = this.#keep === 'status' && 'response' in item;
    return isShort ? { ...item, response: statusOnly(item.response) } : item;
  }
}

/** All or nothing: a disk that fills up takes a part, which the next attempt's lines must not follow. */
async function appendAll(text: string, file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  try {
    await file.appendFile(text);
    await file.datasync();
  } catch (error) {
    await file.truncate(size);
    throw error;
  }
}

/** The indexes of whole lines, and where these end. */
async function readResults(file: string): Promise<{ written: number[]; end: number }> {
  const written: number[] = [];
  const { size } = await stat(file);
  let end = 0;
  for await (const line of linesOf(file)) {
    const bytes = line.length + 1;
    // The last line may lack its newline.
    if (end + bytes > size) break;
    end += bytes;
    written.push(indexOf(line.toString(), file, written.length + 1));
  }
  return { written, end };
}

function indexOf(line: string, file: string, number: number): number {
  try {
    const { index } = JSON.parse(line) as { index?: unknown };
    if (Number.isInteger(index)) return index as number;
  } catch {
    // Said below.
  }
  throw new UsageError(`--output: ${file}:${number} is no result of a batch`);
}
