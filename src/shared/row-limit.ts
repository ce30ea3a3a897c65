const DEFAULT_LIMIT = 100;
/** Of rows, whatever is asked for: they are one message. */
export const MAX_ROWS = 1_000;

export function limitOf(limit = DEFAULT_LIMIT): number {
  return Math.min(Math.max(Math.floor(limit), 0), MAX_ROWS);
}
