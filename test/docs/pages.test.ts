/* What can be seen of the pages without running anything: links, and who runs which block. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { blocks, blocksIn, read, repositoryFiles, root, snippets } from './pages.ts';

test('every block is in a language that a test claims', () => {
  const claimed = ['ts', 'sh', 'json', ...Object.keys(QUOTED), ...Object.keys(NOT_RUN)];
  const unknown = blocks.filter(({ language }) => !claimed.includes(language));
  expect(unknown.map(({ place, language }) => `${place} ${language}`)).toEqual([]);
});

test('every TypeScript block is a snippet, every snippet a block', () => {
  const shown = new Set(snippets().values());
  const strangers = blocksIn('ts').filter(({ text }) => !shown.has(text));
  expect(strangers.map(({ place, text }) => `${place}\n${text}`)).toEqual([]);
  const texts = new Set(blocksIn('ts').map(({ text }) => text));
  expect([...snippets()].filter(([, text]) => !texts.has(text)).map(([file]) => file)).toEqual([]);
});

/** What is part of a file that has tests of its own. */
const QUOTED: Record<string, string[]> = {
  python: ['.py'],
  go: ['.go'],
  yaml: ['.yml', '.yaml'],
};

/** What is not run, and why. */
const NOT_RUN: Record<string, string> = {
  ruby: 'shows what one migrates from',
  text: 'is no code',
};

test.each(Object.entries(QUOTED))('every %s block is part of a file', (language, ends) => {
  const files = repositoryFiles(...ends).map(read);
  const strangers = blocksIn(language).filter(
    ({ text }) => !files.some((file) => unindented(file).includes(unindented(text))),
  );
  expect(strangers.map(({ place }) => place)).toEqual([]);
});

function unindented(text: string): string {
  return text.replace(/^[ \t]+/gm, '');
}

/** Every page of the repository, also those for maintainers. */
const everyPage = repositoryFiles('.md');

test.each(everyPage)('links of %s lead somewhere', (page) => {
  const text = withoutCode(read(page));
  const links = Array.from(text.matchAll(/\]\(<?([^)>\s]+)>?\)|<img[^>]+src="([^"]+)"/g));
  const broken = links
    .map(([, link, image]) => link ?? image ?? '')
    .filter((link) => !/^[a-z]+:/.test(link) && !leads(page, link));
  expect(broken).toEqual([]);
});

function leads(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path ? normalize(join(dirname(page), path)) : page;
  if (!existsSync(new URL(target, root))) return false;
  return anchor === undefined || anchors(target).has(anchor);
}

/** The anchors that GitHub gives to headings, and those written out. */
function anchors(page: string): Set<string> {
  const found = new Map<string, number>();
  const text = withoutFences(read(page));
  const headings = Array.from(text.matchAll(/^#+ (.+)$/gm), ([, heading = '']) => {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    const slug = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    const earlier = found.get(slug) ?? 0;
    found.set(slug, earlier + 1);
    return earlier ? `${slug}-${earlier}` : slug;
  });
  const written = Array.from(text.matchAll(/<a id="([^"]+)">/g), ([, id = '']) => id);
  return new Set([...headings, ...written]);
}

function withoutCode(text: string): string {
  return withoutFences(text).replace(/`[^`\n]+`/g, '');
}

function withoutFences(text: string): string {
  return text.replace(/^( *)```.*?^\1```$/gms, '');
}

test('the tables are those of the sources', () => {
  const script = fileURLToPath(new URL('scripts/generate-docs.mjs', root));
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
