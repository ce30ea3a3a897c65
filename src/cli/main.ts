#!/usr/bin/env node
import { CommanderError } from 'commander';
import { candidates } from './completion/candidates.ts';
import { COMPLETE } from './completion/scripts.ts';
import { EXIT } from './exit-codes.ts';
import { CliError, describeFailure, describeMistake } from './failure.ts';
import { createProgram } from './program.ts';

/** ms from the end of the work after which the process should be gone. */
const EXIT_TIMEOUT = 5_000;

// `patient ps | head`: who has seen enough closes the pipe.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

const words = process.argv.slice(2);
const program = createProgram();
try {
  await main(words);
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
    // Help it has printed itself.
    const isMistake = process.exitCode === EXIT.usage && error.code !== 'commander.help';
    if (isMistake) console.error(`patient: ${describeMistake(error, program, words)}`);
  } else {
    console.error(`patient: ${describeFailure(error)}`);
    process.exitCode = error instanceof CliError ? error.exitCode : EXIT.failed;
  }
}

async function main([first, ...words]: string[]): Promise<void> {
  // Beside commander, which would read the options of a half-written line.
  if (first !== COMPLETE) return void (await program.parseAsync());
  for (const { value, description } of candidates(program, words)) {
    console.log(`${value}\t${description}`);
  }
}

setTimeout(() => {
  const held = [...new Set(process.getActiveResourcesInfo())].join(', ');
  console.error(`patient: done, but something keeps the process alive (${held}); exiting`);
  process.exit();
}, EXIT_TIMEOUT).unref();
