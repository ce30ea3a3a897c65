#!/usr/bin/env node
import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import type { CodecServerFlags } from './codec-server-command.ts';
import { describeFailure } from './failure.ts';
import { addFlowCommand } from './flow-command.ts';

const USAGE_ERROR = 2;
/** ms from the end of the work after which the process should be gone. */
const EXIT_TIMEOUT = 5_000;

const { version, description } = createRequire(import.meta.url)('patient-http/package.json') as {
  version: string;
  description: string;
};

const program = new Command('patient')
  .description(description)
  .version(version)
  .exitOverride()
  .showHelpAfterError('(patient --help tells what there is)')
  .addHelpText(
    'after',
    `
Settings are environment variables: PATIENT_* for every option of the README's table,
TEMPORAL_* (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS…,
TEMPORAL_PROFILE) for the way to Temporal. A wrong value is one line and exit code 1.

Examples:
  $ patient start
  $ TEMPORAL_ADDRESS=temporal:7233 PATIENT_MAX_CONNECTIONS=500 patient worker
  $ temporal workflow execute --type patientGet --task-queue patient-http \\
      --input '{"url": "https://example.com", "timeout": "5m"}'`,
  );

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
    // Only here: Temporal's native half takes longer to load than a --help to print.
    const { workerCommand } = await import('./worker-command.ts');
    process.exitCode = await workerCommand();
  });

program
  .command('start')
  .description('run a Temporal development server, its UI and a worker, until Ctrl-C')
  .addHelpText(
    'after',
    `
Temporal is kept in memory, on ports 7233 and 8233 where they are free.

Examples:
  $ patient start
  $ PATIENT_ALLOW_PRIVATE_ADDRESSES=true patient start`,
  )
  .action(async () => {
    const { startCommand } = await import('./start-command.ts');
    process.exitCode = await startCommand();
  });

program
  .command('ps')
  .description('list what is in flight in all processes of a queue, by process and host')
  .option('--json', 'print JSON, as a pipe gets it anyway')
  .addHelpText(
    'after',
    `
Reads PATIENT_REDIS_URL; each process describes itself with every renewal of its lease.

Examples:
  $ PATIENT_REDIS_URL=redis://localhost patient ps
  $ patient ps | jq '.[].inFlight'`,
  )
  .action(async (options: { json?: boolean }) => {
    const { psCommand } = await import('./ps-command.ts');
    process.exitCode = await psCommand(options);
  });

program
  .command('codec-server')
  .description("let Temporal's UI and CLI read compressed, encrypted and stored payloads")
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--port <number>', 'port to listen on; 0 is any free one', '8234')
  .option('--origin <origins...>', 'origins of UIs that may ask', ['http://localhost:8233'])
  .addHelpText(
    'after',
    `
Takes PATIENT_ENCRYPTION_KEYS and PATIENT_PAYLOAD_STORE as the workers do. With
PATIENT_CODEC_SERVER_TOKEN it wants "Authorization: Bearer <token>"; without, it only listens on a
loopback address. Each name of the UI (localhost, 127.0.0.1) is an origin of its own.

Examples:
  $ patient codec-server
  $ temporal workflow show --workflow-id order-17 --codec-endpoint http://127.0.0.1:8234
  $ patient codec-server --host 0.0.0.0 --origin https://temporal.example.com`,
  )
  .action(async (flags: CodecServerFlags) => {
    const { codecServerCommand } = await import('./codec-server-command.ts');
    process.exitCode = await codecServerCommand(flags);
  });

addFlowCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : USAGE_ERROR;
  } else {
    console.error(`patient: ${describeFailure(error)}`);
    process.exitCode = 1;
  }
}

setTimeout(() => {
  const held = [...new Set(process.getActiveResourcesInfo())].join(', ');
  console.error(`patient: done, but something keeps the process alive (${held}); exiting`);
  process.exit();
}, EXIT_TIMEOUT).unref();
