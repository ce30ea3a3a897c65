import { Argument, type Command } from 'commander';
import { SCRIPTS, SHELLS, type Shell } from '../completion/scripts.ts';

export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .description('print the completion script of a shell')
    .addHelpText(
      'after',
      `
Examples:
  $ source <(patient completion bash)                   # in ~/.bashrc
  $ source <(patient completion zsh)                    # in ~/.zshrc, after compinit
  $ patient completion fish > ~/.config/fish/completions/patient.fish`,
    )
    .action((shell: Shell) => {
      process.stdout.write(SCRIPTS[shell]);
    });
}
