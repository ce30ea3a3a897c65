import type { Command } from 'commander';

export function addRedriveCommand(program: Command): void {
  program
    .command('redrive <id>')
    .description('send a request or batch that has ended once more, as a new one')
    .option('--json', 'print JSON, as a pipe gets it anyway')
    .addHelpText(
      'after',
      `
<id> is a workflow id, or the request id of a workflow that is one request. Of a batch all requests are
sent; one of \`patient batch\` is sent once more by that command, with another --workflow-id.
Prints the id of the new workflow: <id>:redrive:<random>. An idempotency key of yours stays, so that
the target can tell a repetition.

Examples:
  $ patient redrive order-17`,
    )
    .action(async (id: string, flags: { json?: boolean }) => {
      const { redriveRequest } = await import('../actions/redrive.ts');
      process.exitCode = await redriveRequest(id, flags);
    });
}
