/** One line of a table: what was measured, then its figures. */
export type Row = Record<string, string | number>;

export interface CaseResult {
  title: string;
  parameters: Record<string, string | number>;
  rows: Row[];
  /** Ratios and the like, one sentence each. */
  remarks: string[];
  /** Every round, before the medians. */
  rounds: unknown;
}

/** A Markdown table, so that it can be pasted. */
export function toTable({ title, parameters, rows, remarks }: CaseResult): string {
  const given = Object.entries(parameters).map(([name, value]) => `${name} ${value}`);
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = [columns, ...rows.map((row) => columns.map((column) => format(row[column])))];
  const widths = columns.map((_, i) => Math.max(3, ...cells.map((row) => row[i]!.length)));
  const line = (row: string[]): string =>
    `| ${row.map((cell, i) => (i ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  const [head, ...body] = cells.map(line);
  const notes = remarks.map((remark) => `- ${remark}`);
  return [
    `### ${title}`,
    ...(given.length ? [given.join(', ')] : []),
    [head, `| ${rule.join(' | ')} |`, ...body].join('\n'),
    ...(notes.length ? [notes.join('\n')] : []),
  ].join('\n\n');
}

export function ratio(ours: number, theirs: number): string {
  return (ours / theirs).toFixed(2);
}

function format(value: string | number | undefined): string {
  if (typeof value !== 'number') return value ?? '';
  if (Number.isInteger(value)) return String(value);
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}
