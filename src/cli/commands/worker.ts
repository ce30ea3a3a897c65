import type { Command } from 'commander';

export function addWorkerCommand(program: Command): void {
  program
    .command('worker')
    .description('run a worker for a Temporal that already runs')
    .addHelpText(
      'after',
      `
The first SIGTERM or SIGINT drains (PATIENT_SHUTDOWN_TIMEOUT, PATIENT_DRAIN_TIMEOUT), the second
tells what an exit would lose, the third exits. Exit code 0: nothing was lost.

Examples:
  $ TEMPORAL_ADDRESS=temporal:7233 TEMPORAL_NAMESPACE=prices patient worker
  $ TEMPORAL_PROFILE=cloud PATIENT_TASK_QUEUE=prices patient worker`,
    )
    .action(async () => {
      const { runWorkerCommand } = await import('../actions/worker.ts');
      process.exitCode = await runWorkerCommand();
    });
}
