import { Option, type Command } from 'commander';
import type { BatchFlags } from '../actions/batch.ts';

export function addBatchCommand(program: Command): void {
  program
    .command('batch <file>')
    .description('send the requests of a JSON lines file (- is standard input) as one batch')
    .option('-o, --output <file>', 'results as JSON lines, as they come; default standard output')
    .option('--defaults <json>', 'fields that all requests share, as JSON; @FILE, @-')
    .option('--chunk-size <requests>', 'requests per activity')
    .option('--concurrency <chunks>', 'activities at once')
    .addOption(
      new Option('--keep <what>', 'of each result: all, only status or error, none').choices([
        ...['all', 'status', 'none'],
      ]),
    )
    .option('--workflow-id <id>', 'default: made of the content of the file and the defaults')
    .option('--json', 'print the summary as JSON, as a pipe gets it with --output')
    .option('--cancel-on-interrupt', 'Ctrl-C cancels the batch instead of leaving it')
    .addHelpText(
      'after',
      `
A line is a URL or a RequestSpec; empty lines and those with # are left out, and a wrong line is
named before anything is sent. The workflow takes lines from this process and gives it the results,
each with the number of its request as "index" (from 0), in full and in no order.

Run it again to go on: the same file is the same batch. What was interrupted goes on where it was,
with the results that --output has already; a batch that has ended says how. To send the same file
once more, give it another --workflow-id. One process at a time serves a batch.

Responses above 2 MB need a payloadStore (PATIENT_PAYLOAD_STORE), here and at the workers; --chunk-size is
only how many requests share an activity. Exit code 1: some requests failed (a status such as 404 is
no failure without raiseErrorResponses).

Examples:
  $ patient batch urls.jsonl -o results.jsonl
  $ patient batch calls.jsonl -o out.jsonl --defaults '{"method": "POST", "timeout": "5m"}'
  $ generate | patient batch - --chunk-size 50 --concurrency 40 | jq .response.status`,
    )
    .action(async (file: string, flags: BatchFlags) => {
      const { runBatch } = await import('../actions/batch.ts');
      process.exitCode = await runBatch(file, flags);
    });
}
