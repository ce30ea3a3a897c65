import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** The value of a secret; undefined or null if there is none of this name. */
export type SecretSource = (
  name: string,
) => string | undefined | null | Promise<string | undefined | null>;

/**
 * A function, then a directory, then `PATIENT_SECRET_<NAME>`: the first that has the name. Nothing
 * is kept, so a secret that is replaced is picked up by the next send.
 */
export function secretSource(
  secrets: SecretSource | undefined,
  secretsDirectory: string | undefined,
): SecretSource {
  return async (name) =>
    (await secrets?.(name)) ??
    (secretsDirectory === undefined ? undefined : await readSecret(secretsDirectory, name)) ??
    // An empty variable counts as absent, as it does for options.
    (process.env[`PATIENT_SECRET_${name}`] || undefined);
}

const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);

async function readSecret(directory: string, name: string): Promise<string | undefined> {
  try {
    const text = await readFile(path.join(directory, name), 'utf8');
    // The line end that `echo` and editors leave behind.
    return text.replace(/\r?\n$/, '');
  } catch (error) {
    if (ABSENT.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
