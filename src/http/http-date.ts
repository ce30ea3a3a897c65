const FORMATS = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/, // IMF-fixdate
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/, // RFC 850
];
const ASCTIME = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;
const RFC_3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;

/**
 * Epoch ms of an HTTP-date in any of its three forms (RFC 9110 §5.6.7). `Date.parse` alone accepts
 * almost anything, `'-5'` and `'12 apples'` included.
 */
export function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (FORMATS.some((format) => format.test(text))) return parsed(text);
  // It names no zone and is in UTC.
  return ASCTIME.test(text) ? parsed(`${text} GMT`) : undefined;
}

/** Epoch ms of a timestamp such as `2026-11-24T03:20:00Z` (RFC 3339 §5.6). */
export function parseTimestamp(text: string): number | undefined {
  return RFC_3339.test(text) ? parsed(text) : undefined;
}

function parsed(text: string): number | undefined {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
