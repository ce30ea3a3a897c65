import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = new URL('../../', import.meta.url);
const SNIPPETS = new URL('./snippets/', import.meta.url);

export interface Block {
  /** `docs/batches.md:17`. */
  place: string;
  language: string;
  text: string;
}

export function read(file: string): string {
  return readFileSync(new URL(file, root), 'utf8');
}

/** Files of the repository, by the end of their names. */
export function repositoryFiles(...ends: string[]): string[] {
  const patterns = ends.map((end) => `*${end}`);
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', ...patterns];
  const listed = execFileSync('git', args, { cwd: fileURLToPath(root), encoding: 'utf8' });
  return listed.split('\n').filter(Boolean);
}

/** The pages for users: what they show is run. `docs/api` is made from the sources. */
export const pages = repositoryFiles('.md').filter(
  (file) => file === 'README.md' || /^docs\/[^/]+\.md$/.test(file),
);

/** Every fenced block of these pages, in order. */
export const blocks: Block[] = pages.flatMap((page) => {
  const text = read(page);
  const fences = text.matchAll(/^( *)```(\w*)\n(.*?)^\1```$/gms);
  return Array.from(fences, ({ 1: indent = '', 2: language = '', 3: content = '', index }) => ({
    place: `${page}:${text.slice(0, index).split('\n').length}`,
    language,
    text: content.replace(new RegExp(`^${indent}`, 'gm'), ''),
  }));
});

export function blocksIn(...languages: string[]): Block[] {
  return blocks.filter(({ language }) => languages.includes(language));
}

/** What the pages show of each file in `snippets`: its regions, one under the other. */
export function snippets(): Map<string, string> {
  const files = readdirSync(fileURLToPath(SNIPPETS), { recursive: true, encoding: 'utf8' });
  const shown = files
    .filter((file) => file.endsWith('.ts') && !file.endsWith('index.ts'))
    .map((file) => [file, regions(readFileSync(new URL(file, SNIPPETS), 'utf8'))] as const);
  return new Map(shown);
}

/** The commands of a shell block, without comments, each on one line. */
export function commands({ text }: Block): string[] {
  return text
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter(Boolean);
}

function regions(source: string): string {
  const found = source.matchAll(/^( *)\/\/ #region\n(.*?)^ *\/\/ #endregion$/gms);
  const texts = Array.from(found, ([, indent = '', text = '']) =>
    text.replace(new RegExp(`^${indent}`, 'gm'), ''),
  );
  return texts.join('');
}
