import { createRequire } from 'node:module';
import { Command } from 'commander';
import { addBatchCommand } from './commands/batch.ts';
import { addCancelCommand } from './commands/cancel.ts';
import { addCodecServerCommand } from './commands/codec-server.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addDashboardCommand } from './commands/dashboard.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addDrainCommand } from './commands/drain.ts';
import { addFlowCommand } from './commands/flow.ts';
import { addPsCommand } from './commands/ps.ts';
import { addRedriveCommand } from './commands/redrive.ts';
import { addRequestCommands } from './commands/requests.ts';
import { addShowCommand } from './commands/show.ts';
import { addStartCommand } from './commands/start.ts';
import { addWorkerCommand } from './commands/worker.ts';
import { EXIT_MEANINGS } from './exit-codes.ts';

/** In the order of `patient --help`. */
const COMMANDS = [
  addRequestCommands,
  addBatchCommand,
  addPsCommand,
  addShowCommand,
  addCancelCommand,
  addRedriveCommand,
  addDrainCommand,
  addFlowCommand,
  addDashboardCommand,
  addDoctorCommand,
  addWorkerCommand,
  addStartCommand,
  addCodecServerCommand,
  addCompletionCommand,
];

/**
 * The commands, their options and help. Each loads what it does only when it is run: Temporal's
 * native half takes longer to load than a `--help` to print.
 */
export function createProgram(): Command {
  const { version, description } = createRequire(import.meta.url)('patient-http/package.json') as {
    version: string;
    description: string;
  };
  const program = new Command('patient')
    .description(description)
    .version(version)
    .exitOverride()
    // What is wrong is said in one place, and way, whoever has found it: see main.
    .configureOutput({ outputError: () => undefined })
    .addHelpText(
      'after',
      `
Settings are environment variables: PATIENT_* for every option of docs/options.md,
TEMPORAL_* (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS…,
TEMPORAL_PROFILE) for the way to Temporal. A wrong value is one line and exit code 1.
On a terminal there are tables; a pipe gets JSON.

Exit codes:
${EXIT_MEANINGS.map(([code, meaning]) => `${String(code).padStart(5)}  ${meaning}`).join('\n')}

Examples:
  $ patient start
  $ TEMPORAL_ADDRESS=temporal:7233 PATIENT_MAX_CONNECTIONS=500 patient worker
  $ patient get https://example.com --timeout 5m
  $ patient doctor`,
    );
  for (const add of COMMANDS) add(program);
  return program;
}
