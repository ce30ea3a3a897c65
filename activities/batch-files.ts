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
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, offset);
        const isLast = bytesRead < size;
        const end = isLast ? bytesRead : buffer.lastIndexOf(NEWLINE, bytesRead - 1) + 1;
        if (end === 0 && !isLast) continue;
        const requests = parseLines(buffer.toString('utf8', 0, end));
        return { requests, next: isLast ? null : offset + end };
      }
      throw refusal(`source.file: ${file} has a line above ${MAX_LINE} bytes`);
    },

    async writeBatchFile(file, offset, lines) {
      // A retry replaces what it wrote before: each line is there once.
      const flags = offset === 0 ? 'w' : 'r+';
      await using handle = await openInside(directory, file, flags, 'sink.file');
      const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      await handle.truncate(offset);
      await handle.write(bytes, 0, bytes.length, offset);
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

/** One request a line, as JSON or as a bare URL; an empty line or one with `#` says nothing. */
function parseLines(text: string): unknown[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => (line.startsWith('{') ? parseJson(line) : line));
}

/** What is not JSON is left to the validation, which fails that one request. */
function parseJson(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return line;
  }
}

function refusal(message: string) {
  return finalFailure(wireError(invalidRequest(message), failureContext({}, '')));
}
