import { describe, expect, test } from 'vitest';
import { retryAdvice } from '../../src/http/retry-after.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { Sender } from './support.ts';

const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT');
const at = (seconds: number): string => new Date(now + seconds * 1000).toUTCString();

type Case = [string, Record<string, string | string[]>, number | undefined];

describe('Retry-After', () => {
  test.each<Case>([
    ['absent', {}, undefined],
    ['seconds', { 'retry-after': '120' }, 120_000],
    ['zero', { 'retry-after': '0' }, 0],
    ['fractions', { 'retry-after': '1.5' }, 1500],
    ['padded', { 'retry-after': '  7 ' }, 7000],
    ['the first of several', { 'retry-after': ['3', '9'] }, 3000],
    ['a date', { 'retry-after': at(90) }, 90_000],
    ['a date gone by', { 'retry-after': at(-90) }, 0],
    ['a date, by a clock that is ahead', { 'retry-after': at(3690), date: at(3600) }, 90_000],
    ['a date, by a clock that is behind', { 'retry-after': at(-3510), date: at(-3600) }, 90_000],
    ['a date beside an unreadable Date', { 'retry-after': at(90), date: 'soon' }, 90_000],
    ['milliseconds', { 'retry-after-ms': '1500' }, 1500],
    ['milliseconds win', { 'retry-after-ms': '20', 'retry-after': '9' }, 20],
    ['unreadable milliseconds do not', { 'retry-after-ms': 'x', 'retry-after': '9' }, 9000],
    ['negative', { 'retry-after': '-5' }, undefined],
    ['junk that Date.parse takes', { 'retry-after': '12 apples' }, undefined],
    ['an ISO date', { 'retry-after': '2026-10-21T07:28:00Z' }, undefined],
    ['a date that is none', { 'retry-after': 'Wed, 99 Xyz 2026 07:28:00 GMT' }, undefined],
    ['hex', { 'retry-after': '0x10' }, undefined],
    ['empty', { 'retry-after': '' }, undefined],
    ['a date as in RFC 850', { 'retry-after': 'Wednesday, 21-Oct-26 07:28:30 GMT' }, 30_000],
    ['a date as asctime has it', { 'retry-after': 'Wed Oct 21 07:28:30 2026' }, 30_000],
    [
      'the same, with a day of one digit',
      { 'retry-after': 'Sun Nov  1 07:28:00 2026' },
      950_400_000,
    ],
    ['more digits than a number has', { 'retry-after': '9'.repeat(400) }, Infinity],
    ['before any rate limit', { 'retry-after': '1', ratelimit: '"a";r=0;t=9' }, 1000],
    ['unreadable, beside a rate limit', { 'retry-after': 'x', ratelimit: '"a";r=0;t=9' }, 9000],
  ])('%s', (_name, headers, expected) => {
    for (const status of [200, 302, 429, 503]) {
      const beside = status < 400 && 'ratelimit' in headers && expected === 9000;
      expect(retryAdvice(status, headers, now).retryAfter).toBe(beside ? undefined : expected);
    }
  });
});

describe('rate limits', () => {
  const reset = (value: string | string[]) => ({ 'x-ratelimit-reset': value });
  const epoch = (seconds: number) => String(now / 1000 + seconds);

  test.each<Case>([
    ['seconds', reset('30'), 30_000],
    ['fractions of one', reset('0.25'), 250],
    ['zero', reset('0'), 0],
    ['epoch seconds', reset(epoch(30)), 30_000],
    ['epoch seconds with a fraction', reset(`${epoch(30)}.5`), 30_500],
    ['epoch ms', reset(String(now + 30_000)), 30_000],
    ['gone by', reset(epoch(-30)), 0],
    ['epoch seconds, by a clock that is ahead', { ...reset(epoch(3630)), date: at(3600) }, 30_000],
    [
      'epoch seconds, by a clock that is behind',
      { ...reset(epoch(-3570)), date: at(-3600) },
      30_000,
    ],
    ['an ISO date', reset('2026-10-21T07:28:30Z'), 30_000],
    ['with fraction and zone', reset('2026-10-21T09:28:30.500+02:00'), 30_500],
    ['an HTTP date', reset(at(30)), 30_000],
    ['a Go duration', reset('6m5s'), 365_000],
    ['a short one', reset('1ms'), 1],
    ['a long one', reset('1h2m3.5s'), 3_723_500],
    ['a tiny one', reset('250us'), 1],
    ['a tiny one in Greek', reset('1.5Âµs'), 1],
    ['none at all', reset('0s'), 0],
    ['the first of several lines', reset(['7', '9']), 7000],
    ['without x-', { 'ratelimit-reset': '30' }, 30_000],
    ['a variant', { 'x-ratelimit-reset-tokens': '6m0s' }, 360_000],
    ['after', { 'x-ratelimit-reset-after': '1.25' }, 1250],
    ['the longest', { 'x-ratelimit-reset-requests': '1s', 'x-ratelimit-reset-tokens': '9s' }, 9000],
    [
      'the one that is used up',
      {
        'x-ratelimit-reset-requests': '1s',
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-tokens': '9s',
        'x-ratelimit-remaining-tokens': '149984',
      },
      1000,
    ],
    [
      'the longest of those that are',
      {
        'x-ratelimit-reset-requests': '1s',
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-tokens': '9s',
        'x-ratelimit-remaining-tokens': '0.0',
        'x-ratelimit-reset-day': '99s',
      },
      9000,
    ],
    [
      'used up without a word on when',
      { 'x-ratelimit-remaining': '0', ...reset('soon'), 'ratelimit-reset': '5' },
      undefined,
    ],
    [
      'one count for all resets',
      { 'x-ratelimit-remaining': '0', ...reset(epoch(2)), 'x-ratelimit-reset-after': '1.5' },
      2000,
    ],
    ['RateLimit', { ratelimit: '"default";r=0;t=30' }, 30_000],
    ['several', { ratelimit: '"a";r=5;t=90, "b";r=0;t=30,"c"; r=0; t=40' }, 40_000],
    ['several lines', { ratelimit: ['"a";r=5;t=90', '"b";r=0;t=30'] }, 30_000],
    ['none used up', { ratelimit: '"a";r=5;t=90, "b";r=1;t=30' }, 90_000],
    ['other parameters', { ratelimit: '"a";x;pk=:cHJlZml4:;q=9;r=0;t=30;rt=5' }, 30_000],
    ['quotes with separators inside', { ratelimit: '"a,;r=9;t=8";pk=";t=6";r=0;t=30' }, 30_000],
    [
      'a window for what has no t',
      { ratelimit: '"b";r=0', 'ratelimit-policy': '"a";q=1;w=9, "b";q=100;w=60' },
      60_000,
    ],
    [
      'a window is no wait by itself',
      { ratelimit: '"b";r=3', 'ratelimit-policy': '"b";q=100;w=60' },
      undefined,
    ],
    ['a policy alone', { 'ratelimit-policy': '"b";q=100;w=60' }, undefined],
    ['of an earlier draft', { ratelimit: 'limit=100, remaining=0, reset=30' }, 30_000],
    [
      'of both families',
      { ratelimit: '"a";r=0;t=3', ...reset('5'), 'x-ratelimit-remaining': '0' },
      5000,
    ],
    ['negative', reset('-5'), undefined],
    ['hex', reset('0x10'), undefined],
    ['words', reset('in 5 minutes'), undefined],
    ['an unknown unit', reset('5d'), undefined],
    ['a date that is none', reset('2026-99-21T07:28:30Z'), undefined],
    ['empty', reset(''), undefined],
    ['garbage', { ratelimit: '";;;,,"";r=;t=x,"' }, undefined],
    ['no name', { ratelimit: ';r=0;t=5' }, undefined],
    ['a quote without end', { ratelimit: `${'"x'.repeat(5001)};r=0;t=5` }, undefined],
  ])('%s', (_name, headers, expected) => {
    expect(retryAdvice(429, headers, now).retryAfter).toBe(expected);
  });

  test.each([
    [200, undefined, undefined],
    [302, undefined, undefined],
    [403, undefined, 5000],
    [429, 5000, 5000],
    [500, undefined, 5000],
    [503, undefined, 5000],
  ])('with %i: %s ms, and %s ms when used up', (status, open, usedUp) => {
    for (const [remaining, expected] of [
      ['17', open],
      ['0', usedUp],
    ] as const) {
      const headers = { 'x-ratelimit-reset': '5', 'x-ratelimit-remaining': remaining };
      expect(retryAdvice(status, headers, now).retryAfter).toBe(expected);
      const field = { ratelimit: `"a";r=${remaining};t=5` };
      expect(retryAdvice(status, field, now).retryAfter).toBe(expected);
    }
  });

  // A pattern that goes back over what it has read would take hours.
  test('a megabyte of anything is read', () => {
    for (const part of ['"', '" ', '\\"', '1h', '1', ';r=0', '; ', ',', 'a=,', 'reset=']) {
      const value = part.repeat(2 ** 20 / part.length);
      for (const name of ['ratelimit', 'ratelimit-policy', 'x-ratelimit-reset', 'retry-after']) {
        const headers = { ratelimit: '"a";r=0;t=1', [name]: value };
        expect(retryAdvice(429, headers, now).shouldRetry).toBeUndefined();
      }
    }
  });
});

test.each([
  ['true', true],
  ['TRUE', true],
  [' false ', false],
  ['1', undefined],
  ['', undefined],
])('x-should-retry %j is %s', (value, expected) => {
  const headers = { 'x-should-retry': value };
  expect(retryAdvice(429, headers).shouldRetry).toBe(expected);
});

test('is part of the response', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const url = target.url('/flaky/key/1/429?retryAfter=4');
  expect(await sender.get(url)).toMatchObject({ status: 429, advice: { retryAfter: 4000 } });
  expect(await sender.get(url)).toMatchObject({ status: 200, advice: { retryAfter: undefined } });
});
