import { oneLine } from './failure.ts';

/** Lines of columns as wide as their widest cell. */
export function formatTable(lines: string[][]): string {
  const cells = lines.map((line) => line.map(oneLine));
  const widths = cells[0]!.map((_, column) =>
    Math.max(...cells.map((line) => line[column]!.length)),
  );
  return cells
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
