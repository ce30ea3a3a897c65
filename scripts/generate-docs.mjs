// Writes the tables of README.md that come from the schemas, between their markers.
// Run it after the build. `--check` writes nothing and fails if README.md is stale.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import { z } from 'zod';
import { variableOf } from '../dist/src/config/environment.js';
import { optionsSchema } from '../dist/src/config/options.js';
import { requestSpecSchema } from '../dist/src/config/spec-schema.js';

const README = new URL('../README.md', import.meta.url);

const options = rows(optionsSchema);
const defaults = new Map(options.map((row) => [row.field, row.default]));

const tables = {
  options: await table(
    ['option', 'environment variable', 'default', 'meaning'],
    options.map((row) => [code(row.field), code(variableOf(row.field)), row.default, row.meaning]),
  ),
  spec: await table(
    ['field', 'default', 'meaning'],
    rows(requestSpecSchema).map((row) => [code(row.field), specDefault(row), row.meaning]),
  ),
};

const isThere = existsSync(README);
const before = isThere ? readFileSync(README, 'utf8') : emptyReadme();
let after = before;
for (const [name, text] of Object.entries(tables)) after = replaceSection(after, name, text);

if (!process.argv.includes('--check')) {
  writeFileSync(README, after);
} else if (!isThere || after !== before) {
  console.error('README.md does not match the schemas: run `node scripts/generate-docs.mjs`');
  process.exitCode = 1;
}

/** Every single field, those of described groups by their path. */
function rows(schema) {
  return rowsOf(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }).properties, '');
}

function rowsOf(properties, prefix) {
  return Object.entries(properties).flatMap(([name, property]) => {
    const field = prefix + name;
    if (property.properties) return rowsOf(property.properties, `${field}.`);
    if (!property.description) throw new Error(`${field} has no description`);
    const { description: meaning, option } = property;
    return [{ field, meaning, option, default: formatDefault(property) }];
  });
}

function formatDefault({ default: value, kind }) {
  if (value === undefined || value === null) return '';
  if (kind !== 'duration') return code(JSON.stringify(value).replaceAll(',', ', '));
  return code(typeof value === 'string' ? value : formatDuration(value));
}

function formatDuration(ms) {
  return ms % 60_000 === 0 && ms > 60_000 ? `${ms / 60_000}m` : `${ms / 1000}s`;
}

/** What a spec leaves out can come from an option of the worker. */
function specDefault(row) {
  const option = row.field.startsWith('retry.') ? row.field : row.option;
  if (option === undefined) return row.default;
  if (!defaults.has(option)) throw new Error(`${row.field}: there is no option ${option}`);
  return `${defaults.get(option)} (option ${code(option)})`;
}

/** As prettier wants it, so that formatting the README changes nothing here. */
function table(head, body) {
  const lines = [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`);
  return format(lines.join('\n'), { parser: 'markdown' });
}

function replaceSection(text, name, content) {
  const [begin, end] = markers(name);
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`README.md lacks ${begin} or ${end} after it`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n${text.slice(to)}`;
}

function emptyReadme() {
  const sections = Object.keys(tables).map((name) => markers(name).join('\n\n'));
  return `${['# Patient HTTP', ...sections].join('\n\n')}\n`;
}

function markers(name) {
  return [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
}

function code(text) {
  return `\`${text}\``;
}
