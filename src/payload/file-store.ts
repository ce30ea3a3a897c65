import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PayloadStore, StoreAccess } from '../shared/payload-store.ts';
import { dayOf } from './store.ts';

/** Where files are written before they get their names. */
const UNFINISHED = 'unfinished';

/** A folder that all processes share: a day's folder in it, 256 in each, a file a payload. */
export class FileStore implements PayloadStore {
  readonly name: string;
  readonly #root: string;
  #made: Promise<unknown> | undefined;
  /** Folders whose names survive a power loss. */
  readonly #synced = new Set<string>();

  constructor(url: string) {
    this.#root = fileURLToPath(url);
    this.name = url;
  }

  /** A rename makes it visible whole, and only when its bytes are on disk. */
  async put(id: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(id);
    const temporary = await this.#temporary();
    try {
      await write(temporary, bytes);
      await mkdir(dirname(path), { recursive: true });
      await rename(temporary, path);
      await syncFolder(dirname(path));
      await this.#syncAbove(dirname(path));
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
  }

  async get(id: string): Promise<Uint8Array | undefined> {
    return ifThere(readFile(this.#path(id)));
  }

  async check(access: StoreAccess): Promise<void> {
    if (access === 'read') return void (await readdir(this.#root));
    const path = await this.#temporary();
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
    for (const name of (await ifThere(readdir(join(this.#root, UNFINISHED)))) ?? []) {
      const path = join(this.#root, UNFINISHED, name);
      const found = await ifThere(stat(path));
      if (found && dayOf(found.mtime) < day) await rm(path, { force: true });
    }
  }

  /** Made once: where it is gone later, so is a mount, and what is written there would be gone with it. */
  async #temporary(): Promise<string> {
    const folder = join(this.#root, UNFINISHED);
    this.#made ??= mkdir(folder, { recursive: true });
    try {
      await this.#made;
    } catch (error) {
      this.#made = undefined;
      throw error;
    }
    return join(folder, randomUUID());
  }

  /** Whoever made the folder may not have come to it yet. */
  async #syncAbove(folder: string): Promise<void> {
    if (this.#synced.has(folder)) return;
    await syncFolder(dirname(folder));
    await syncFolder(this.#root);
    // 256 a day.
    if (this.#synced.size >= 1024) this.#synced.clear();
    this.#synced.add(folder);
  }

  #path(id: string): string {
    const [day = '', digest = ''] = id.split('/');
    return join(this.#root, day, digest.slice(0, 2), digest.slice(2));
  }
}

/** Undefined for what is not there, or not any more: others delete here too. */
async function ifThere<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
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
