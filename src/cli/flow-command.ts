import type { Command } from 'commander';
import type { LimitOptions } from './flow-keys.ts';

/** `patient flow`: what its subcommands are called and take; `flow-keys.ts` does what they say. */
export function addFlowCommand(program: Command): void {
  const flow = program
    .command('flow')
    .description('look at the limits of flow keys, and change them at run time')
    .addHelpText(
      'after',
      `
Reads PATIENT_REDIS_URL; a pipe gets JSON. What is set here goes before specs and options, in every process of the
queue, until it is cleared.

Examples:
  $ PATIENT_REDIS_URL=redis://localhost patient flow
  $ patient flow set api.example.com --rate 10 --period 1s --concurrency 5
  $ patient flow pause api.example.com
  $ patient flow set api.example.com --clear`,
    );
  // Only here: see main.ts.
  const keys = () => import('./flow-keys.ts');
  flow
    .command('list', { isDefault: true })
    .description('keys of the last day, and those with something set')
    .action(async () => (await keys()).listKeys());
  flow
    .command('show <key>')
    .description('one key')
    .action(async (key: string) => (await keys()).showKey(key));
  flow
    .command('set <key>')
    .description('change limits; what is not named stays as it is')
    .option('--rate <units>', 'units per period')
    .option('--period <duration>', 'what the rate is counted by (1s)')
    .option('--burst <units>', 'units that may go at once after a pause')
    .option('--concurrency <requests>', 'requests in flight at once')
    .option('--clear', 'take back all that was set for the key, a pause included')
    .action(async (key: string, limits: LimitOptions) => (await keys()).setLimits(key, limits));
  flow
    .command('pause <key>')
    .description('send nothing new; what is in flight goes on')
    .action(async (key: string) => (await keys()).pauseKey(key));
  flow
    .command('resume <key>')
    .description('send again')
    .action(async (key: string) => (await keys()).resumeKey(key));
}
