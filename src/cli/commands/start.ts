import type { Command } from 'commander';

export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description(
      'run a Temporal development server, its UI, a worker, its dashboard and a playground, until Ctrl-C',
    )
    .addHelpText(
      'after',
      `
Temporal is kept in memory, on ports 7233 and 8233, and the dashboard on 8235, the
playground on 8237, where they are free. The dashboard is read-only unless PATIENT_DASHBOARD_PASSWORD is set.

Examples:
  $ patient start
  $ PATIENT_ALLOW_PRIVATE_ADDRESSES=true patient start`,
    )
    .action(async () => {
      const { startStack } = await import('../actions/start.ts');
      process.exitCode = await startStack();
    });
}
