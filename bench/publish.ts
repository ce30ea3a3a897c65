// Makes of results/0.1.0.json the chart and the tables of README.md. `--check` writes nothing and
// fails when they do not match it. Run after the build: `node dist/bench/publish.js`.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { chartOf } from './chart.ts';
import { summaryOf, type Machine, type Results } from './reach.ts';
import { toTable } from './report.ts';

const ROOT = new URL(import.meta.url.includes('/dist/') ? '../../bench/' : './', import.meta.url);
const README = new URL('README.md', ROOT);
const CHART = new URL('results/throughput.svg', ROOT);
export const RESULTS = new URL('results/0.1.0.json', ROOT);

const MARKERS = /(<!-- results -->\n)[\s\S]*?(\n<!-- \/results -->)/;

/** Gives the files that do not match the results, and writes them unless it is only to check. */
export async function publish({ check = false } = {}): Promise<string[]> {
  const results = JSON.parse(await readFile(RESULTS, 'utf8')) as Results;
  const readme = await readFile(README, 'utf8');
  const tables = readme.replace(MARKERS, (_, before: string, after: string) => {
    return `${before}\n${tablesOf(results)}\n${after}`;
  });
  const wanted: [URL, string][] = [
    [CHART, chartOf(results)],
    [README, await format(tables, { parser: 'markdown', printWidth: 100 })],
  ];
  const stale: string[] = [];
  for (const [file, text] of wanted) {
    if ((await readFile(file, 'utf8').catch(() => '')) === text) continue;
    stale.push(fileURLToPath(file));
    if (!check) await writeFile(file, text);
  }
  return stale;
}

function tablesOf(results: Results): string {
  const cases = Object.values(results.cases);
  const loads = cases.map(({ load }) => load[0] ?? 0);
  const said =
    `Measured on ${distinct(cases.map(({ date }) => date.slice(0, 10)))}: ` +
    `${distinct(cases.map(({ machine }) => nameOf(machine)))}; load of the machine before a case ` +
    `${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}.`;
  const summary = summaryOf(results);
  const tables = [...(summary.rows.length > 0 ? [summary] : []), ...cases];
  return [said, ...tables.map(toTable)].join('\n\n');
}

function nameOf({ cores, cpu, node, platform }: Machine): string {
  return `${cores} cores (${cpu}), Node ${node}, ${platform}`;
}

function distinct(values: string[]): string {
  return [...new Set(values)].toSorted().join(' and ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const check = process.argv.includes('--check');
  const stale = await publish({ check });
  if (check && stale.length > 0) {
    console.error(`${stale.join(', ')}: run \`node dist/bench/publish.js\` after the build`);
    process.exitCode = 1;
  }
}
