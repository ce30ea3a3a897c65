import { constants, open, realpath, type FileHandle } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { finalFailure } from '../src/completion/failure.ts';
import { invalidRequest } from '../src/shared/errors.ts';
import { wireError } from '../src/shared/failure.ts';
import { failureContext } from '../src/shared/loose-spec.ts';
import type { ControlActivities } from '../src/shared/activities.ts';

/** Bytes read at once: a page of requests stays well within a workflow's history event. */
const PAGE = 512 * 1024;
/** Bytes of a line: it has to fit into a page, which a next run may be given. */
export const MAX_LINE = 1024 * 1024 - 1024;
const NEWLINE = 0x0a;

type BatchFiles = Pick<ControlActivities, 'readBatchFile' | 'writeBatchFile'>;

/**
 * Files of batches, in one directory: who may start a batch may not read or write all of a disk. `timeout`:
 * ms that an attempt to write has, after which another may have been made.
 */
export function createBatchFiles(
  directory: string | undefined,
  timeout: () => number = () => Infinity,
): BatchFiles {
  return {
    async readBatchFile(file, offset) {
      await using handle = await openInside(directory, file, 'r', 'source.file');
      for (let size = PAGE; size <= 2 * PAGE; size *= 2) {
        const bytes = await readUpTo(size, handle, offset);
        const isLast = bytes.length < size;
        // More was read for the sake of one line: as JSON, many short ones can be too much for a page.
        const whole = size === PAGE ? bytes.lastIndexOf(NEWLINE) : bytes.indexOf(NEWLINE);
        const end = isLast && (size === PAGE || whole < 0) ? bytes.length : whole + 1;
        if (end === 0 && !isLast) continue;
        // With its newline.
        if (size > PAGE && end > MAX_LINE + 1) break;
        const requests = parseLines(bytes.toString('utf8', 0, end));
        return { requests, next: isLast && end === bytes.length ? null : offset + end };
      }
      const line = await lineAt(offset, handle);
      throw refusal(`source.file: ${file}:${line}: expected at most ${MAX_LINE} bytes in a line`);
    },

    async writeBatchFile(file, offset, lines) {
      const lateAt = Date.now() + timeout();
      // What comes after a pause of the process must not touch what was written meanwhile.
      const insist = (): void => {
        if (Date.now() >= lateAt) throw new Error(`sink.file: ${file} was not written in time`);
      };
      const flags = offset === 0 ? constants.O_RDWR | constants.O_CREAT : 'r+';
      await using handle = await openInside(directory, file, flags, 'sink.file');
      const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      const end = offset + bytes.length;
      insist();
      // A retry replaces what it wrote before: each line is there once.
      await writeAll(bytes, handle, offset);
      // Of a batch before this one, or of this one before it was reset.
      if ((await handle.stat()).size > end) {
        insist();
        await handle.truncate(end);
      }
      await handle.sync();
      return end;
    },
  };
}

async function openInside(
  directory: string | undefined,
  file: string,
  flags: string | number,
  field: string,
): Promise<FileHandle> {
  if (directory === undefined) {
    throw refusal(`${field}: this worker has no batchDirectory (PATIENT_BATCH_DIRECTORY)`);
  }
  try {
    const path = resolve(directory, file);
    const [root, parent] = await Promise.all([realpath(directory), realpath(dirname(path))]);
    const inside = relative(root, parent);
    if (inside.startsWith('..') || isAbsolute(inside)) {
      throw new Error('it is outside batchDirectory');
    }
    return await open(path, flags);
  } catch (error) {
    throw refusal(`${field}: ${file} cannot be opened: ${(error as Error).message}`);
  }
}

/** From 1. */
async function lineAt(offset: number, handle: FileHandle): Promise<number> {
  let line = 1;
  for (let at = 0; at < offset; at += PAGE) {
    const bytes = await readUpTo(Math.min(PAGE, offset - at), handle, at);
    line += bytes.reduce((lines, byte) => (byte === NEWLINE ? lines + 1 : lines), 0);
  }
  return line;
}

/** Less only at the end of the file: a network's file system may give less at once. */
async function readUpTo(size: number, handle: FileHandle, offset: number): Promise<Buffer> {
  const buffer = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await handle.read(buffer, length, size - length, offset + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

/** A disk that fills up takes a part without an error, and refuses the rest. */
async function writeAll(bytes: Buffer, handle: FileHandle, offset: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

function parseLines(text: string): unknown[] {
  return text.split('\n').flatMap((line) => parseLine(line) ?? []);
}

/**
 * One request a line, as JSON or as a bare URL; a URL may be JSON too. An empty line or one with `#`
 * says nothing. What is not JSON is left to the validation, which fails that one request.
 */
export function parseLine(text: string): object | string | undefined {
  const line = text.trim();
  if (line === '' || line.startsWith('#')) return undefined;
  if (!/^[{"]/.test(line)) return line;
  try {
    return JSON.parse(line) as object | string;
  } catch {
    return line;
  }
}

function refusal(message: string) {
  return finalFailure(wireError(invalidRequest(message), failureContext({}, '')));
}
