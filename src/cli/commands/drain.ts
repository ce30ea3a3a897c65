import type { Command } from 'commander';
import type { DrainFlags } from '../actions/drain.ts';

export function addDrainCommand(program: Command): void {
  program
    .command('drain <process>')
    .description('let a process take nothing new, finish what it has, and stop')
    .option('--wait', 'until it has gone')
    .option('--json', 'print JSON, as a pipe gets it anyway')
    .addHelpText(
      'after',
      `
As SIGTERM does: PATIENT_SHUTDOWN_TIMEOUT and PATIENT_DRAIN_TIMEOUT of that process hold. <process>
is an id of \`patient ps --processes\`, or the beginning of one. Says what the drain finds: what is
handed over to other processes, what has to be waited for, what is on its way to Temporal.

Examples:
  $ patient drain web-1:4711 --wait`,
    )
    .action(async (name: string, flags: DrainFlags) => {
      const { drain } = await import('../actions/drain.ts');
      process.exitCode = await drain(name, flags);
    });
}
