// Writes docs/api, a page for each public entry point, from the docstrings. `npm run docs`, after
// the build. `--check` writes nothing and fails if a page is stale.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { isExported, readApi } from './api-model.mjs';
import { parseComment } from './docstring.mjs';

const folder = new URL('../docs/api/', import.meta.url);

/** What several of them export is on the first one's page. */
const ENTRIES = [
  {
    page: 'patient-http.md',
    title: '`patient-http`',
    about:
      'For processes that run requests, and for those that send them from outside of workflows.',
    declarations: 'dist/src/index.d.ts',
  },
  {
    page: 'workflow.md',
    title: '`patient-http/workflow`',
    about: 'For workflow code: it imports nothing that the sandbox does not have.',
    declarations: 'dist/workflows/index.d.ts',
  },
  {
    page: 'testing.md',
    title: '`patient-http/testing`',
    about: 'For tests.',
    declarations: 'dist/src/testing/index.d.ts',
  },
];

/** What a worker and its workflows tell each other; the schema of the options, which have a table. */
const INTERNAL = ['BatchState', 'ControlActivities', 'RequestActivities', 'optionsSchema'];

const SECTIONS = [
  ['Functions and values', ['Function', 'Variable']],
  ['Classes', ['Class']],
  ['Types', ['Interface', 'TypeAlias']],
];

const apis = readApi(ENTRIES.map(({ declarations }) => declarations));
/** For each page what it shows; what an earlier one has is only linked. */
const shown = new Map();
for (const [i, { page }] of ENTRIES.entries()) {
  const earlier = new Set([...shown.values()].flat().map(identity));
  const items = publicItems(apis[i]).filter((item) => !earlier.has(identity(item)));
  shown.set(page, items);
}

const prettierOptions = await resolveConfig(new URL('page.md', folder));
mkdirSync(folder, { recursive: true });
for (const [i, entry] of ENTRIES.entries()) {
  const text = await format(pageText(entry, apis[i]), {
    ...prettierOptions,
    parser: 'markdown',
  });
  const file = new URL(entry.page, folder);
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
    console.error(`docs/api/${entry.page} does not match the docstrings: run \`npm run docs\``);
    process.exitCode = 1;
  }
}

/** Two entry points can have different things of one name, and one thing by two names. */
function identity({ name, fileUrlPath }) {
  return `${name.replace(/_\d+$/, '')} of ${fileUrlPath}`;
}

/** Exports, and what their types are made of. */
function publicItems(members) {
  const byName = new Map(members.map((member) => [member.name, member]));
  const found = new Set(members.filter(isExported));
  for (const item of found) {
    for (const name of references(item)) {
      const member = byName.get(name);
      if (member && isForUsers(member)) found.add(member);
    }
  }
  return [...found].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function isForUsers({ kind, name }) {
  return kind !== 'Class' && !INTERNAL.includes(name);
}

function references(item) {
  const tokens = [item, ...(item.members ?? [])].flatMap(({ excerptTokens }) => excerptTokens);
  const names = tokens.filter(({ kind }) => kind === 'Reference').map(({ text }) => text);
  return new Set(names.filter((name) => name !== item.name));
}

function pageText({ page, title, about }, all) {
  const items = shown.get(page);
  const own = new Set(items.map(identity));
  const parts = [
    '<!-- Made from the docstrings by `npm run docs`: edit those. -->',
    `# ${title}`,
    about,
  ];
  const elsewhere = all
    .filter((item) => isExported(item) && !own.has(identity(item)))
    .map(({ name }) => link(name, page));
  if (elsewhere.length) parts.push(`It also exports ${elsewhere.join(', ')}.`);
  for (const [heading, kinds] of SECTIONS) {
    const section = items.filter((item) => isExported(item) && kinds.includes(item.kind));
    if (section.length) parts.push(`## ${heading}`, ...section.map((item) => itemText(item, page)));
  }
  const inner = items.filter((item) => !isExported(item));
  if (inner.length) {
    parts.push('## Types that these are made of', 'Not exported by name.');
    parts.push(...inner.map((item) => itemText(item, page)));
  }
  return parts.join('\n\n');
}

function itemText(item, page) {
  const { text, example } = docOf(item, page);
  if (isExported(item) && !text) throw new Error(`${item.name} has no docstring`);
  const parts = [`### ${item.name}`];
  const signature = signatureOf(item);
  if (signature) parts.push(fence(signature));
  parts.push(text);
  if (example) parts.push(fence(example));
  const members = (item.members ?? []).map((member) => {
    const { text: meaning } = docOf(documented(member, item, page), page);
    return `| ${cell(code(signatureOf(member)))} | ${cell(meaning)} |`;
  });
  if (members.length) parts.push(['| member | meaning |', '| --- | --- |', ...members].join('\n'));
  const links = [...references(item)].filter((name) => homeOf(name, page));
  if (links.length) parts.push(`See ${links.map((name) => link(name, page)).join(', ')}.`);
  return parts.filter(Boolean).join('\n\n');
}

/** The member itself, or that of an interface which the class implements. */
function documented(member, item, page) {
  if (member.docComment) return member;
  const bases = shown
    .get(page)
    .filter(({ name }) => references({ ...item, members: [] }).has(name));
  const inherited = bases.flatMap(({ members }) => members ?? []);
  return inherited.find(({ name, docComment }) => name === member.name && docComment) ?? member;
}

/** A comment that only says that there is a constructor is API Extractor's own. */
function docOf({ kind, docComment }, page) {
  if (kind === 'Constructor' && docComment.includes('Constructs a new instance'))
    return { text: '' };
  return parseComment(docComment, (name) => link(name, page));
}

function signatureOf({ excerptTokens }) {
  const text = excerptTokens.map((token) => token.text).join('');
  return text
    .replace(/^export /, '')
    .replace(/^declare /, '')
    .replace(/;$/, '')
    .trim();
}

function link(name, from) {
  const page = homeOf(name, from);
  if (!page) return code(name);
  return `[${code(name)}](${page === from ? '' : page}#${name.toLowerCase()})`;
}

/** The page that has something of this name, first of all the page itself. */
function homeOf(name, page) {
  return [page, ...shown.keys()].find((each) => shown.get(each).some((item) => item.name === name));
}

function fence(text) {
  return `\`\`\`ts\n${text}\n\`\`\``;
}

function code(text) {
  return `\`${text.replace(/\s+/g, ' ')}\``;
}

function cell(text) {
  return text.replace(/\s*\n\s*/g, ' ').replaceAll('|', '\\|');
}
