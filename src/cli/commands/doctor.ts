import type { Command } from 'commander';
import type { DoctorFlags } from '../actions/doctor.ts';

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description(
      'check Temporal, Redis, codec, clocks and limits, and say how to fix what is wrong',
    )
    .option('--strict', 'exit code 1 for warnings too')
    .option('--json', 'print JSON, as a pipe gets it anyway')
    .addHelpText(
      'after',
      `
Run it where a worker runs, with the worker's environment. It changes nothing but one small payload
in the payload store. Exit code 1: there is a problem.

Examples:
  $ patient doctor
  $ patient doctor --strict | jq '.[] | select(.status != "ok")'`,
    )
    .action(async (flags: DoctorFlags) => {
      const { doctor } = await import('../actions/doctor.ts');
      process.exitCode = await doctor(flags);
    });
}
