import { z } from 'zod';
import { parseDuration } from '../shared/duration.ts';
import { describeValue } from './problems.ts';
import { MAX_TIMER } from '../shared/constants.ts';
import { isName, MAX_NAME } from '../shared/names.ts';

const DAY = 24 * 60 * 60 * 1000;

/** A duration as text, as JSON Schema says it; `parseDuration` decides. */
const durationText = z.string().meta({
  id: 'Duration',
  pattern: '^ *([0-9]+([.][0-9]+)?|[.][0-9]+) *[A-Za-z]* *$',
  examples: ['30s', '1.5 hours', '250ms'],
});

/** Visible ASCII: what a header can carry as it is. */
const VISIBLE = /^[\x21-\x7e]{1,255}$/;

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Milliseconds, from `min` to the longest timer, out of a number or a duration string. */
export function duration(min = 1) {
  return z
    .union([z.number().meta({ minimum: min, maximum: MAX_TIMER }), durationText], {
      error: "expected milliseconds or a duration such as '30s'",
    })
    .transform((value, ctx) => {
      const parsed = parseDuration(value);
      const ms = parsed === undefined ? undefined : Math.round(parsed);
      if (ms !== undefined && ms >= min && ms <= MAX_TIMER) return ms;
      const expected =
        ms === undefined
          ? "milliseconds or a duration such as '30s'"
          : `${min} to ${MAX_TIMER} ms (24.8 days)`;
      ctx.addIssue({
        code: 'custom',
        message: `expected ${expected}, got ${describeValue(value)}`,
      });
      return z.NEVER;
    })
    .meta({ kind: 'duration' });
}

/** Milliseconds of a day or more, which no timer of ours waits for. */
export function age() {
  const error = "expected a day or more, in milliseconds or as a duration such as '30 days'";
  return z.union([z.number(), z.string()], { error }).transform((value, ctx) => {
    const ms = parseDuration(value);
    if (ms !== undefined && ms >= DAY && Number.isSafeInteger(Math.round(ms))) {
      return Math.round(ms);
    }
    ctx.addIssue({ code: 'custom', message: `${error}, got ${describeValue(value)}` });
    return z.NEVER;
  });
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER) {
  const bound = max === Number.MAX_SAFE_INTEGER ? `${min}` : `${min} to ${max}`;
  const error = `expected an integer from ${bound}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export function atLeast(min: number) {
  const error = `expected a number from ${min}`;
  return z.number({ error }).min(min, { error });
}

export function positive() {
  const error = 'expected a number above 0';
  return z.number({ error }).positive({ error });
}

/** Name of a workflow, signal, queue. */
export function name() {
  const error = `expected 1 to ${MAX_NAME} bytes`;
  return z.string({ error }).refine(isName, { error }).meta({ minLength: 1, maxLength: MAX_NAME });
}

export function visible() {
  const error = 'expected 1 to 255 visible ASCII characters';
  return z.string({ error }).regex(VISIBLE, { error });
}

export function base64() {
  const error = 'expected standard base64 with its padding';
  return z
    .string({ error })
    .refine((text) => text.length % 4 === 0 && BASE64.test(text), { error })
    .meta({ contentEncoding: 'base64', pattern: BASE64.source });
}

export function flag() {
  return z.boolean({ error: 'expected true or false' });
}

export function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, {
    error: `expected ${values.map((value) => `'${value}'`).join(', ')}`,
  });
}
