const UNITS: Record<string, number> = {};
for (const [names, ms] of [
  ['ms msec msecs millisecond milliseconds', 1],
  ['s sec secs second seconds', 1000],
  ['m min mins minute minutes', 60_000],
  ['h hr hrs hour hours', 3_600_000],
  ['d day days', 86_400_000],
  ['w week weeks', 604_800_000],
] as const) {
  for (const name of names.split(' ')) UNITS[name] = ms;
}

/**
 * Milliseconds of a Temporal duration: a finite number >= 0, or a string such as `'30s'`,
 * `'1.5 hours'`, `'250'`. Anything else gives `undefined`.
 */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string') return undefined;
  const match = /^(\d+(?:\.\d+)?|\.\d+) *([a-z]*)$/i.exec(value.trim());
  if (!match) return undefined;
  const unit = match[2] === '' ? 1 : UNITS[match[2]!.toLowerCase()];
  const ms = unit === undefined ? undefined : Number(match[1]) * unit;
  return ms !== undefined && Number.isFinite(ms) ? ms : undefined;
}
