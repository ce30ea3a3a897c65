// `npm run bench`: each case compares systems on one Temporal server and one target, in one run.
//   -- --only NAME   one case; may be given several times
//   -- --small       a tenth of the requests, one round: to see that it works
//   -- --full        the large ends too: 100,000 requests in a batch, 100 responses of 20 MB
//   -- --rounds N    default 2; tables show medians
//   -- --json        one JSON document instead of tables
//   -- --save        puts each case into results/, and makes chart and tables of all that are there
//   -- --profile DIR CPU profiles of every process
import { readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { casesOf } from './cases.ts';
import { startEnvironment } from './environment.ts';
import { PROFILE_DIR } from './peer.ts';
import { publish, RESULTS } from './publish.ts';
import { summaryOf, type Machine, type Results } from './reach.ts';
import { toTable } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    small: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    json: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
});
const { small, full } = flags;
const rounds = Number(flags.rounds ?? (small ? 1 : 2));
if (flags.profile !== undefined) process.env[PROFILE_DIR] = flags.profile;

const cases = casesOf({ small, full, rounds });
const unknown = flags.only?.filter((name) => !cases[name]) ?? [];
const faults = [
  ...unknown.map((name) => `No case ${name}; there are ${Object.keys(cases).join(', ')}`),
  ...(rounds >= 1 ? [] : [`--rounds: expected a number from 1, got ${flags.rounds}`]),
  ...(small && flags.save ? ['--save: not what --small measures'] : []),
];
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(2);
}

const machine: Machine = {
  cores: os.availableParallelism(),
  cpu: os.cpus()[0]?.model ?? '',
  node: process.version,
  platform: `${os.platform()} ${os.arch()}`,
};
const results: Results = { cases: {} };
for (const name of flags.only ?? Object.keys(cases)) {
  console.error(`${name} …`);
  // How much else is going on.
  const load = os.loadavg().slice(0, 2);
  const started = performance.now();
  await using env = await startEnvironment();
  const result = await cases[name]!(env);
  results.cases[name] = {
    ...result,
    date: new Date().toISOString(),
    machine,
    load,
    seconds: Math.round((performance.now() - started) / 1000),
  };
  if (!flags.json) console.log(`\n${toTable(result)}`);
}
const summary = summaryOf(results);
if (flags.json) console.log(JSON.stringify(results, null, 1));
else if (summary.rows.length > 0) console.log(`\n${toTable(summary)}`);
if (flags.save) {
  const { cases: saved } = JSON.parse(await readFile(RESULTS, 'utf8')) as Results;
  const all = { ...saved, ...results.cases };
  const inOrder = Object.keys(cases).filter((name) => all[name]);
  results.cases = Object.fromEntries(inOrder.map((name) => [name, all[name]!]));
  const options = { ...(await resolveConfig(RESULTS)), parser: 'json' };
  await writeFile(RESULTS, await format(JSON.stringify(results), options));
  await publish();
}
