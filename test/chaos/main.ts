// `npm run chaos`: mixed traffic under random faults, and a check of every guarantee afterwards.
import { parseArgs } from 'node:util';
import { findTemporalCli } from '../../src/testing/temporal-cli.ts';
import { FAULT_KINDS, isFaultKind } from './faults.ts';
import { describe, writeEvidence } from './report.ts';
import { run } from './run.ts';
import { quietRuntime, startWorld, type World } from './world.ts';

const HELP = `npm run chaos -- [options]
  --seed N        first seed; one seed is one plan of traffic and faults (default: random)
  --seeds N       runs, with this seed and the next ones (default 1)
  --seconds N     of traffic and faults in a run (default 20)
  --rate N        requests a second (default 10)
  --workers N     worker processes, from 2 (default 3)
  --every N       ms between two faults, on average (default 2000)
  --fault KIND    only this kind; may be given several times:
                  ${FAULT_KINDS.join(', ')}
  --evidence      keep journal and logs of runs without violations too
  --help`;

const settings = readArguments();
const cli = await findTemporalCli({ log: console.error });
quietRuntime();

let world: World | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await world?.[Symbol.asyncDispose]();
    process.exit(130);
  });
}

let requests = 0;
let violations = 0;
for (let seed = settings.seed; seed < settings.seed + settings.seeds; seed++) {
  console.log(`seed ${seed} … (repeat it with: npm run chaos -- --seed ${seed})`);
  world = await startWorld({ ...settings, cli: cli.path });
  const report = await run(world, { ...settings, seed }).finally(() =>
    world?.[Symbol.asyncDispose](),
  );
  console.log(describe(report));
  requests += report.requests.length;
  violations += report.journal.violations.length;
  if (settings.evidence || report.journal.violations.length > 0) {
    console.log(`  evidence   ${await writeEvidence(report)}`);
  }
}
console.log(`chaos: ${settings.seeds} seeds, ${requests} requests, ${violations} violations`);
process.exitCode = violations > 0 ? 1 : 0;

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string' },
        seeds: { type: 'string', default: '1' },
        seconds: { type: 'string', default: '20' },
        rate: { type: 'string', default: '10' },
        workers: { type: 'string', default: '3' },
        every: { type: 'string', default: '2000' },
        fault: { type: 'string', multiple: true, default: [...FAULT_KINDS] },
        evidence: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    const { seed = String(Math.floor(Math.random() * 1_000_000)), fault, evidence } = values;
    return {
      seed: number('seed', seed, 0),
      seeds: number('seeds', values.seeds, 1),
      seconds: number('seconds', values.seconds, 1),
      rate: number('rate', values.rate, 1),
      workers: number('workers', values.workers, 2),
      faultEvery: number('every', values.every, 100),
      faults: fault.map((name) => {
        if (isFaultKind(name)) return name;
        throw new TypeError(`--fault: expected one of ${FAULT_KINDS.join(', ')}, got ${name}`);
      }),
      evidence,
    };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(error.message);
    process.exit(2);
  }
}

function number(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new TypeError(`--${name}: expected a whole number from ${least}, got ${text}`);
}
