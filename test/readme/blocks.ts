import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const README = new URL('../../README.md', import.meta.url);
const SNIPPETS = new URL('./snippets/', import.meta.url);

export interface Block {
  language: string;
  text: string;
}

/** Every fenced block of the README, in order. */
export function readmeBlocks(): Block[] {
  const fences = readFileSync(README, 'utf8').matchAll(/^```(\w*)\n(.*?)^```$/gms);
  return Array.from(fences, ([, language = '', text = '']) => ({ language, text }));
}

/** What the README shows of each file in `snippets`: its regions, one under the other. */
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
