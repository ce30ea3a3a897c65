import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dayOf, type Store } from './store.ts';

/** Where files are written before they get their names. */
const UNFINISHED = 'unfinished';

/** A folder that all processes share: a day's folder in it, 256 in each, a file a payload. */
export class FileStore implements Store {
  readonly name: string;
  readonly #root: string;

  constructor(url: string) {
    this.#root = fileURLToPath(url);
    this.name = url;
  }

  /** A rename makes it visible whole, and only when its bytes are on disk. */
  async put(id: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(id);
    const temporary = join(this.#root, UNFINISHED, randomUUID());
    await mkdir(dirname(temporary), { recursive: true });
    try {
      await write(temporary, bytes);
      const isNew = await mkdir(dirname(path), { recursive: true });
      await rename(temporary, path);
      await syncFolder(dirname(path));
      if (isNew !== undefined) await this.#syncAbove(path);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
  }

  async get(id: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.#path(id));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async check(): Promise<void> {
    const path = join(this.#root, UNFINISHED, randomUUID());
    await mkdir(dirname(path), { recursive: true });
    await write(path, Buffer.from('payload store'));
    await unlink(path);
  }

  async expire(day: string): Promise<void> {
    const days = (await readdir(this.#root)).filter((name) => /^\d{4}-\d{2}-\d{2}$/.test(name));
    for (const old of days.filter((name) => name < day)) {
      await rm(join(this.#root, old), { recursive: true, force: true });
    }
    await this.#expireUnfinished(day);
  }

  /** What processes were writing when they died. */
  async #expireUnfinished(day: string): Promise<void> {
    for (const name of await readdir(join(this.#root, UNFINISHED))) {
      const path = join(this.#root, UNFINISHED, name);
      const { mtime } = await stat(path);
      if (dayOf(mtime) < day) await rm(path, { force: true });
    }
  }

  async #syncAbove(path: string): Promise<void> {
    await syncFolder(dirname(dirname(path)));
    await syncFolder(this.#root);
  }

  #path(id: string): string {
    const [day = '', digest = ''] = id.split('/');
    return join(this.#root, day, digest.slice(0, 2), digest.slice(2));
  }
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(bytes);
  await file.datasync();
}

/** The name is in the folder: without this it can be gone after a power loss. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  await using folder = await open(path, 'r');
  await folder.sync();
}
