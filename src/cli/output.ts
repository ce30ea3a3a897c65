import { oneLine } from './failure.ts';
import { formatTable } from './table.ts';

/** A note beside the result: on standard error, which a pipe does not take. */
export function say(message: string): void {
  // A progress bar has the line until it is drawn again.
  const start = process.stderr.isTTY ? '\r\x1b[K' : '';
  console.error(`${start}patient: ${oneLine(message)}`);
}

/** Tables are for people; `--json` and a pipe get JSON. */
export function wantsJson({ json }: { json?: boolean | undefined }): boolean {
  return json === true || !process.stdout.isTTY;
}

export function printJson(value: unknown): void {
  console.log(JSON.stringify(value));
}

/** Head and rows; `empty` stands for a table without rows. */
export function printTable(head: string[], rows: string[][], empty: string): void {
  console.log(rows.length === 0 ? empty : formatTable([head, ...rows]));
}

/** `340 ms`, `12.4 s`, `3 min`, `2.5 h`, `4 d` */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 100_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 100 * 60_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 48 * 3_600_000) return `${(ms / 3_600_000).toFixed(1)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}
