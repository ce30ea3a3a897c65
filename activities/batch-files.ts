import { open, realpath, type FileHandle } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { finalFailure } from '../src/completion/failure.ts';
import { invalidRequest } from '../src/shared/errors.ts';
import { wireError } from '../src/shared/failure.ts';
import { failureContext } from '../src/shared/loose-spec.ts';
import type { ControlActivities } from '../src/shared/activities.ts';

/** Bytes read at once: a page of requests stays well within a workflow's history event. */
const PAGE = 512 * 1024;
/** A request has to fit into an activity's argument. */
const MAX_LINE = 1024 * 1024;
const NEWLINE = 0x0a;

type BatchFiles = Pick<ControlActivities, 'readBatchFile' | 'writeBatchFile'>;

/** Files of batches, in one directory: who may start a batch may not read or write all of a disk. */
export function createBatchFiles(directory: string | undefined): BatchFiles {
  return {
    async readBatchFile(file, offset) {
      await using handle = await openInside(directory, file, 'r', 'source.file');
      for (let size = PAGE; size <= 2 * MAX_LINE; size *= 2) {
        const bytes = await readUpTo(size, handle, offset);
        const isLast = bytes.length < size;
        // More was read for the sake of one line: as JSON, many short ones can be too much for a page.
        const whole = size === PAGE ? bytes.lastIndexOf(NEWLINE) : bytes.indexOf(NEWLINE);
        const end = isLast && (size === PAGE || whole < 0) ? bytes.length : whole + 1;
        if (end === 0 && !isLast) continue;
        const requests = parseLines(bytes.toString('utf8', 0, end));
        return { requests, next: isLast && end === bytes.length ? null : offset + end };
      }
      throw refusal(`source.file: ${file} has a line above ${MAX_LINE} bytes`);
    },

    async writeBatchFile(file, offset, lines) {
      // A retry replaces what it wrote before: each line is there once.
      const flags = offset === 0 ? 'w' : 'r+';
      await using handle = await openInside(directory, file, flags, 'sink.file');
      const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      await handle.truncate(offset);
      await writeAll(bytes, handle, offset);
      await handle.sync();
      return offset + bytes.length;
    },
  };
}

async function openInside(
  directory: string | undefined,
  file: string,
  flags: string,
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
 * One request a line, as JSON or as a bare URL; an empty line or one with `#` says nothing. What is
 * not JSON is left to the validation, which fails that one request.
 */
export function parseLine(text: string): object | string | undefined {
  const line = text.trim();
  if (line === '' || line.startsWith('#')) return undefined;
  if (!line.startsWith('{')) return line;
  try {
    return JSON.parse(line) as object;
  } catch {
    return line;
  }
}

function refusal(message: string) {
  return finalFailure(wireError(invalidRequest(message), failureContext({}, '')));
}
