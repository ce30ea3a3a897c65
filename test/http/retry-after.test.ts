import { expect, test } from 'vitest';
import { retryAfter } from '../../src/http/retry-after.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { Sender } from './support.ts';

const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT');
const at = (seconds: number): string => new Date(now + seconds * 1000).toUTCString();

test.each<[string, Record<string, string | string[]>, number | undefined]>([
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
])('%s', (_name, headers, expected) => {
  expect(retryAfter(headers, now)).toBe(expected);
});

test('is part of the response', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const url = target.url('/flaky/key/1/429?retryAfter=4');
  expect(await sender.get(url)).toMatchObject({ status: 429, retryAfter: 4000 });
  expect(await sender.get(url)).toMatchObject({ status: 200, retryAfter: undefined });
});
