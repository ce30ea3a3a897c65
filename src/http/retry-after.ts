import type { Headers } from './prepare.ts';

const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const DECIMAL = /^\d+(?:\.\d+)?$/;

/** The wait a response asks for, in ms from now; undefined if it asks for none we can read. */
export function retryAfter(headers: Headers, now = Date.now()): number | undefined {
  const ms = single(headers['retry-after-ms']);
  if (ms !== undefined && DECIMAL.test(ms)) return Math.ceil(Number(ms));

  const value = single(headers['retry-after']);
  if (value === undefined) return undefined;
  if (DECIMAL.test(value)) return Math.ceil(Number(value) * 1000);

  const at = parseDate(value);
  if (at === undefined) return undefined;
  // The server's date is by the server's clock.
  return Math.max(0, at - (parseDate(single(headers['date'])) ?? now));
}

function single(value: string | string[] | undefined): string | undefined {
  return (Array.isArray(value) ? value[0] : value)?.trim();
}

/** `Date.parse` alone accepts almost anything, `'-5'` and `'12 apples'` included. */
function parseDate(value: string | undefined): number | undefined {
  if (value === undefined || !IMF_FIXDATE.test(value)) return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : ms;
}
