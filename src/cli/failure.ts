/** What the user can put right: its message is all that is shown. */
export class CliError extends Error {
  override readonly name = 'CliError';
}

/** Message and causes on one line, each said once. */
export function describeFailure(error: unknown): string {
  const messages: string[] = [];
  for (let cause = error; cause !== undefined; cause = (cause as { cause?: unknown }).cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (!messages.some((known) => known.includes(message))) messages.push(message);
    if (!(cause instanceof Error)) break;
  }
  return messages.join(': ').replace(/\s*\n\s*/g, ' ');
}
