import { Option, type Command } from 'commander';
import { REQUEST_ORDERS, TASK_PHASES } from '../../shared/constants.ts';
import type { PsFlags } from '../actions/ps.ts';

export function addPsCommand(program: Command): void {
  program
    .command('ps [text]')
    .description('list the requests in flight in all processes of a queue')
    .option('--host <host>', 'only those to this host')
    .addOption(new Option('--phase <phase>', 'only those in this phase').choices(TASK_PHASES))
    .option('--process <id>', 'only those of this process')
    .addOption(
      new Option('--sort <field>', 'oldest or largest first, names from A to Z').choices(
        REQUEST_ORDERS,
      ),
    )
    .option('--reverse', 'the other way round')
    .option('--limit <rows>', 'rows at most')
    .option('--processes', 'list the processes instead, with what each has in flight by host')
    .option('--json', 'print JSON, as a pipe gets it anyway')
    .addHelpText(
      'after',
      `
Reads PATIENT_REDIS_URL and asks each process. <text> is part of the method, host, path, request id
or workflow id. JSON: { rows, matched, total, silent }; of --processes an array.

Examples:
  $ PATIENT_REDIS_URL=redis://localhost patient ps
  $ patient ps api.example.com --phase sent --limit 20
  $ patient ps --processes | jq '.[].inFlight'`,
    )
    .action(async (text: string | undefined, flags: PsFlags) => {
      const { ps } = await import('../actions/ps.ts');
      process.exitCode = await ps(text, flags);
    });
}
