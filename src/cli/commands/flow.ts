import type { Command } from 'commander';
import type { KeyFlags, LimitFlags, ListFlags } from '../actions/flow.ts';

/** `patient flow`: what its subcommands are called and take; `actions/flow.ts` does what they say. */
export function addFlowCommand(program: Command): void {
  const flow = program
    .command('flow')
    .description('look at the limits of flow keys, and change them at run time')
    .addHelpText(
      'after',
      `
Reads PATIENT_REDIS_URL. What is set here goes before specs and options, in every process of the queue,
until it is cleared; what is not named stays as it is in force, the period of a rate too.

Examples:
  $ PATIENT_REDIS_URL=redis://localhost patient flow
  $ patient flow set api.example.com --rate 10 --period 1s --concurrency 5
  $ patient flow pause api.example.com
  $ patient flow set api.example.com --clear`,
    );
  const keys = () => import('../actions/flow.ts');
  flow
    .command('list', { isDefault: true })
    .description('keys of the last day, and those with something set; what is held up first')
    .option('--contains <text>', 'only keys with this in them')
    .option('--limit <rows>', 'rows at most')
    .option('--json', 'print JSON, as a pipe gets it anyway')
    .action(async (flags: ListFlags) => (await keys()).listKeys(flags));
  flow
    .command('show <key>')
    .description('one key')
    .option('--json', 'print JSON, as a pipe gets it anyway')
    .action(async (key: string, flags: KeyFlags) => (await keys()).showKey(key, flags));
  flow
    .command('set <key>')
    .description('change limits; what is not named stays as it is')
    .option('--rate <units>', 'units per period')
    .option('--period <duration>', 'what the rate is counted by (1s, where the key has no rate)')
    .option('--burst <units>', 'units that may go at once after a pause')
    .option('--concurrency <requests>', 'requests in flight at once')
    .option('--clear', 'take back all that was set for the key, a pause included')
    .option('--json', 'print JSON, as a pipe gets it anyway')
    .action(async (key: string, flags: LimitFlags) => (await keys()).setLimits(key, flags));
  flow
    .command('pause <key>')
    .description('send nothing new; what is in flight goes on')
    .option('--json', 'print JSON, as a pipe gets it anyway')
    .action(async (key: string, flags: KeyFlags) => (await keys()).pauseKey(key, flags));
  flow
    .command('resume <key>')
    .description('send again')
    .option('--json', 'print JSON, as a pipe gets it anyway')
    .action(async (key: string, flags: KeyFlags) => (await keys()).resumeKey(key, flags));
}
