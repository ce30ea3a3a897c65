// Writes what the documentation takes from the sources: the tables of options, spec fields, metrics and
// commands, between their markers. `npm run docs`, after the build. `--check` writes nothing and fails if a page is
// stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import { z } from 'zod';
import { EXIT_MEANINGS } from '../dist/src/cli/exit-codes.js';
import { createProgram } from '../dist/src/cli/program.js';
import { variableOf } from '../dist/src/config/environment.js';
import { optionsSchema } from '../dist/src/config/options.js';
import { METRICS } from '../dist/src/telemetry/metrics.js';
import { requestSpecSchema } from '../dist/src/config/spec-schema.js';

const root = new URL('../', import.meta.url);
const BEGIN = '<!-- table:begin -->';
const END = '<!-- table:end -->';

const options = rows(optionsSchema);
const defaults = new Map(options.map((row) => [row.field, row.default]));

const pages = {
  'docs/options.md': await withTable(
    'docs/options.md',
    ['option', 'environment variable', 'default', 'meaning'],
    options.map((row) => [code(row.field), code(variableOf(row.field)), row.default, row.meaning]),
  ),
  'docs/requests.md': await withTable(
    'docs/requests.md',
    ['field', 'default', 'meaning'],
    rows(requestSpecSchema).map((row) => [code(row.field), specDefault(row), row.meaning]),
  ),
  'docs/observability.md': await withTable(
    'docs/observability.md',
    ['metric', 'kind', 'labels', 'meaning'],
    Object.entries(METRICS).map(([name, { kind, labels, help }]) => [
      ...[code(name), kind, labels.map(code).join(', '), help],
    ]),
  ),
  'docs/cli.md': await withText('docs/cli.md', reference(createProgram())),
};

for (const [page, text] of Object.entries(pages)) {
  if (!process.argv.includes('--check')) writeFileSync(new URL(page, root), text);
  else if (read(page) !== text) {
    console.error(`${page} does not match the sources: run \`npm run docs\``);
    process.exitCode = 1;
  }
}

function read(page) {
  return readFileSync(new URL(page, root), 'utf8');
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

/** Exit codes, then every command with its arguments and options, as commander has them. */
function reference(program) {
  const codes = EXIT_MEANINGS.map(([number, meaning]) => [code(number), meaning]);
  const sections = new Map();
  for (const { path, text } of program.commands.flatMap((each) => commandsOf(each, 'patient'))) {
    sections.set(text, [...(sections.get(text) ?? []), path]);
  }
  const texts = [...sections].map(
    ([text, paths]) => `### ${paths.map(code).join(', ')}\n\n${text}`,
  );
  return [tableOf(['exit code', 'meaning'], codes), ...texts].join('\n\n');
}

/** A command and those below it; commands of one text share a section. */
function commandsOf(command, parent) {
  const path = `${parent} ${command.name()}`;
  const help = command.createHelp();
  const words = command.registeredArguments.map((each) => {
    return each.required ? `<${each.name()}>` : `[${each.name()}]`;
  });
  const options = command.options.map((option) => {
    return [code(option.flags), help.optionDescription(option)];
  });
  const method = new RegExp(`a ${command.name()} request`, 'i');
  const text = [
    capital(command.description().replace(method, 'the request')),
    ...(words.length > 0 ? [`Takes ${code(words.join(' '))}.`] : []),
    ...(options.length > 0 ? ['', tableOf(['option', 'meaning'], options)] : []),
  ].join('\n');
  return [{ path, text }, ...command.commands.flatMap((each) => commandsOf(each, path))];
}

function capital(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

function tableOf(head, body) {
  return [head, head.map(() => '---'), ...body]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
}

function withTable(page, head, body) {
  return withText(page, tableOf(head, body));
}

/** As prettier wants it, so that formatting the page changes nothing here. */
async function withText(page, markdown) {
  const table = await format(markdown, { parser: 'markdown' });
  const text = read(page);
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END, from);
  if (from < 0 || to < 0) throw new Error(`${page} lacks ${BEGIN} or ${END} after it`);
  return `${text.slice(0, from + BEGIN.length)}\n\n${table}\n${text.slice(to)}`;
}

function code(text) {
  return `\`${text}\``;
}
