import type { Command } from 'commander';

export function addCancelCommand(program: Command): void {
  program
    .command('cancel <id>')
    .description('cancel a request or batch: its socket closes, its workflow ends Canceled')
    .option('--json', 'print JSON, as a pipe gets it anyway')
    .addHelpText(
      'after',
      `
<id> is the workflow id or request id of a request, or the workflow id of a batch. The request id of a
batch's item, or of a request in the midst of a workflow of yours, needs PATIENT_REDIS_URL: only that
request ends, with CancelledError. Waits ten seconds for the end; what has ended is exit code 3.

Examples:
  $ patient cancel order-17
  $ patient ps slow.example.com | jq -r '.rows[].requestId' | xargs -n1 patient cancel`,
    )
    .action(async (id: string, flags: { json?: boolean }) => {
      const { cancel } = await import('../actions/cancel.ts');
      process.exitCode = await cancel(id, flags);
    });
}
