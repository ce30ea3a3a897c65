// `npm run bench`: each case compares systems on one Temporal server and one target, in one run.
//   -- --only NAME   one case; may be given several times
//   -- --small       a tenth of the requests, one round: to see that it works
//   -- --rounds N    default 3
//   -- --json        one JSON document instead of tables
//   -- --profile DIR CPU profiles of every process
import os from 'node:os';
import { parseArgs } from 'node:util';
import { cancel } from './cases/cancel.ts';
import { capacity } from './cases/capacity.ts';
import { guard } from './cases/guard.ts';
import { inFlight } from './cases/in-flight.ts';
import { large } from './cases/large.ts';
import { latency } from './cases/latency.ts';
import { payload } from './cases/payload.ts';
import { signers } from './cases/signers.ts';
import { tls } from './cases/tls.ts';
import { startEnvironment, type Environment } from './environment.ts';
import { PROFILE_DIR } from './peer.ts';
import { toTable, type CaseResult } from './report.ts';

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    small: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    json: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
});
const { small } = flags;
const rounds = Number(flags.rounds ?? (small ? 1 : 3));
if (flags.profile !== undefined) process.env[PROFILE_DIR] = flags.profile;

const CASES: Record<string, (env: Environment) => Promise<CaseResult>> = {
  'in-flight': (env) =>
    inFlight(env, { count: small ? 500 : 5_000, holdMs: small ? 3_000 : 10_000, rounds }),
  latency: (env) => latency(env, { count: small ? 50 : 200, rounds }),
  capacity: (env) => capacity(env, { count: 500, maxConnections: 50 }),
  cancel: (env) => cancel(env, { count: small ? 20 : 200 }),
  guard: (env) => guard(env, { count: small ? 200 : 2_000, rounds }),
  signers: (env) => signers(env, { count: small ? 200 : 2_000, rounds }),
  payload: () => payload({ count: small ? 200 : 2_000, rounds }),
  large: (env) => large(env, small ? { count: 5, megabytes: 5 } : { count: 100, megabytes: 20 }),
  tls: () => tls({ count: small ? 200 : 1_000, rounds }),
};

const unknown = flags.only?.filter((name) => !CASES[name]) ?? [];
if (unknown.length || !(rounds >= 1)) {
  console.error(
    unknown.length
      ? `No case ${unknown.join(', ')}; there are ${Object.keys(CASES).join(', ')}`
      : `--rounds: expected a number from 1, got ${flags.rounds}`,
  );
  process.exit(2);
}

const machine = {
  cores: os.availableParallelism(),
  cpu: os.cpus()[0]?.model ?? '',
  node: process.version,
  platform: `${os.platform()} ${os.arch()}`,
};
const date = new Date().toISOString();
const results: Record<string, CaseResult & { load: number[] }> = {};

for (const name of flags.only ?? Object.keys(CASES)) {
  console.error(`${name} …`);
  // Of the machine before the case: how much else was going on.
  const load = os.loadavg().slice(0, 2);
  await using env = await startEnvironment();
  const result = await CASES[name]!(env);
  results[name] = { ...result, load };
  if (!flags.json) console.log(`\n${toTable(result)}`);
}
if (flags.json) console.log(JSON.stringify({ date, machine, cases: results }, null, 1));
