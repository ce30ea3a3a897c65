import type { Command, CommanderError } from 'commander';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** What the user can put right: its message is all that is shown. */
export class CliError extends Error {
  override readonly name: string = 'CliError';
  readonly exitCode: ExitCode = EXIT.failed;
}

/** Wrong arguments; nothing was done. */
export class UsageError extends CliError {
  override readonly name = 'UsageError';
  override readonly exitCode = EXIT.usage;
}

/** What was asked for is not there. */
export class NotFoundError extends CliError {
  override readonly name = 'NotFoundError';
  override readonly exitCode = EXIT.notFound;
}

/** Message and causes on one line, each said once. */
export function describeFailure(error: unknown): string {
  const messages: string[] = [];
  for (let cause = error; cause !== undefined; cause = (cause as { cause?: unknown }).cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (!messages.some((known) => known.includes(message))) messages.push(message);
    if (!(cause instanceof Error)) break;
  }
  return oneLine(messages.join(': '));
}

/** What commander found wrong, and where to look. */
export function describeMistake(
  { message }: CommanderError,
  program: Command,
  [first = '']: string[],
): string {
  const command = program.commands.some((each) => each.name() === first) ? `${first} ` : '';
  const what = oneLine(message.replace(/^error: /, '')).replace(/\.$/, '');
  return `${what}; \`patient ${command}--help\` tells what there is`;
}

/** Without what a terminal would obey: some texts come from servers and other people's ids. */
export function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]\s*/g, ' ').replace(/\p{Cc}/gu, '\ufffd');
}
