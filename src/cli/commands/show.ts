import type { Command } from 'commander';

export function addShowCommand(program: Command): void {
  program
    .command('show <id>')
    .description('show a request or batch: where it is, what it waits for, how it ended')
    .option('--json', 'print JSON, as a pipe gets it anyway')
    .addHelpText(
      'after',
      `
<id> is a workflow id or a request id, as \`patient ps\` lists them. Status, attempts and the last
failure come from Temporal; with PATIENT_REDIS_URL also what its process says, and an outcome
that is kept for Temporal. URLs are shown without their query.

Examples:
  $ patient show order-17
  $ patient show order-17 | jq .status`,
    )
    .action(async (id: string, flags: { json?: boolean }) => {
      const { show } = await import('../actions/show.ts');
      process.exitCode = await show(id, flags);
    });
}
