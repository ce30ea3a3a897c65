import { parseHttpDate, parseTimestamp } from './http-date.ts';
import type { Headers } from './prepare.ts';

/** One of the limits that a server counts a caller by. */
interface Limit {
  /** Requests, tokens, … that are left; undefined if it does not say. */
  remaining: number | undefined;
  /** ms until it starts anew. */
  wait: number | undefined;
}

const DECIMAL = /^\d+(?:\.\d+)?$/;
const RESET = /^((?:x-)?ratelimit)-reset(|-.+)$/;
const GO_DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|Â?µs|ms|s|m|h))+$/;
const GO_UNITS: Record<string, number> = { ns: 1e-6, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };

/** As numbers of seconds, from here on they are a time and not a delay; then one in ms. */
const EPOCH_SECONDS = 1e9;
const EPOCH_MS = 1e12;

/**
 * ms until the limits in a response's headers allow another request, undefined if they do not say.
 * Servers send these fields with every response, so they count only where they can be its reason:
 * a limit with nothing left does with any error status, and the longest such wait is the answer.
 * Where none claims to be used up, a 429 says that one is: the longest of all then.
 *
 * Read are `x-ratelimit-reset` and its variants (`-requests`, `-tokens`, …) with the
 * `x-ratelimit-remaining` of the same ending, the same without `x-`, and the `RateLimit` field of
 * draft-ietf-httpapi-ratelimit-headers, whose window is in `RateLimit-Policy`.
 *
 * @param clock epoch ms by the server
 */
export function untilReset(
  status: number,
  headers: Headers,
  clock: () => number,
): number | undefined {
  if (status < 400) return undefined;
  const limits = [...namedLimits(headers, clock()), ...ietfLimits(headers)];
  const exhausted = limits.filter(({ remaining }) => remaining === 0);
  const waits = (status === 429 && exhausted.length === 0 ? limits : exhausted)
    .map(({ wait }) => wait)
    .filter((wait) => wait !== undefined);
  return waits.length > 0 ? Math.max(...waits) : undefined;
}

function* namedLimits(headers: Headers, now: number): Generator<Limit> {
  for (const [name, value] of Object.entries(headers)) {
    const [, family, variant] = RESET.exec(name) ?? [];
    if (family === undefined) continue;
    const remaining = headers[`${family}-remaining${variant}`] ?? headers[`${family}-remaining`];
    yield { wait: resetIn(firstValue(value), now), remaining: decimal(firstValue(remaining)) };
  }
}

/**
 * `RateLimit: "default";r=0;t=30` beside `RateLimit-Policy: "default";q=100;w=60`, and the form
 * of earlier drafts, `limit=100, remaining=0, reset=30`.
 */
function* ietfLimits(headers: Headers): Generator<Limit> {
  const text = list(headers['ratelimit']);
  const windows = new Map(items(headers['ratelimit-policy']).map(({ name, w }) => [name, w]));
  for (const { name, r, t } of items(headers['ratelimit'])) {
    if (name !== '') yield { remaining: r, wait: t ?? (r === 0 ? windows.get(name) : undefined) };
  }
  const reset = /(?:^|,)\s*reset=(\d+)/.exec(text)?.[1];
  const remaining = /(?:^|,)\s*remaining=(\d+)/.exec(text)?.[1];
  if (reset !== undefined) yield { remaining: decimal(remaining), wait: Number(reset) * 1000 };
}

interface Item {
  name: string;
  r: number | undefined;
  /** ms, as `w` */
  t: number | undefined;
  w: number | undefined;
}

/** The items of a structured list (RFC 9651 §3.1) and the parameters that matter here. */
function items(value: Headers[string] | undefined): Item[] {
  const text = list(value);
  const balanced = text.split('"').length % 2 === 1;
  const parts = balanced ? (text.match(/(?:"[^"]*"|[^",])+/g) ?? []) : [];
  return parts.map((item) => {
    const [, name = '', parameters = ''] = /^\s*("[^"]*"|[^;\s]*)(.*)$/s.exec(item) ?? [];
    const bare = parameters.replace(/"[^"]*"/g, '');
    const read = (key: string) => decimal(new RegExp(`;\\s*${key}=(\\d+)`).exec(bare)?.[1]);
    const seconds = (key: string) => {
      const parsed = read(key);
      return parsed === undefined ? undefined : parsed * 1000;
    };
    return { name, r: read('r'), t: seconds('t'), w: seconds('w') };
  });
}

/** ms from now, of what servers write for "then": a number, a date or a duration. */
function resetIn(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const number = decimal(text);
  if (number !== undefined && number < EPOCH_SECONDS) return Math.ceil(number * 1000);
  if (GO_DURATION.test(text)) return goDuration(text);
  const at =
    number === undefined
      ? (parseTimestamp(text) ?? parseHttpDate(text))
      : number * (number < EPOCH_MS ? 1000 : 1);
  return at === undefined ? undefined : Math.max(0, Math.ceil(at - now));
}

/** `6m5s`, as Go prints durations; a header's `µ` may come as two bytes. */
function goDuration(text: string): number {
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/([\d.]+)([^\d.]+)/g)) {
    ms += Number(count) * (GO_UNITS[unit!] ?? 1e-3);
  }
  return Math.ceil(ms);
}

function decimal(text: string | undefined): number | undefined {
  return text !== undefined && DECIMAL.test(text) ? Number(text) : undefined;
}

/** The field's value, or the first where it was repeated. */
export function firstValue(value: Headers[string] | undefined): string | undefined {
  return (Array.isArray(value) ? value[0] : value)?.trim();
}

function list(value: Headers[string] | undefined): string {
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}
