import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  acceptedLanguage,
  catalogueOf,
  LANGUAGES,
  type Message,
  type MessageId,
} from '../../src/web/languages.ts';
import { Translator } from '../../src/web/translator.ts';

const english = Object.entries(catalogueOf('en')) as [MessageId, Message][];
const files = readdirSync(new URL('../../src/web/locales/', import.meta.url));
const translated = files.map((file) => file.replace('.json', ''));

test('the languages of the original', () => {
  expect(LANGUAGES).toHaveLength(30);
  expect([...LANGUAGES].sort()).toEqual([...translated].sort());
});

test.each(translated)('%s: every message, in every plural, with its values', (language) => {
  const catalogue = catalogueOf(language);
  expect(Object.keys(catalogue)).toEqual(english.map(([id]) => id));
  const plurals = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
  for (const [id, original] of english) {
    const message = catalogue[id]!;
    expect(typeof message, id).toBe(typeof original);
    if (typeof message === 'string') {
      expect(valuesOf(message), id).toEqual(valuesOf(original as string));
      continue;
    }
    expect(Object.keys(message).sort(), id).toEqual([...plurals].sort());
    // A plural that stands for one number alone may spell it out.
    const spelled = new Set(['zero', 'one', 'two']);
    for (const [category, text] of Object.entries(message)) {
      if (!spelled.has(category)) expect(valuesOf(text), id).toContain('{count}');
      expect(text.trim(), id).not.toBe('');
    }
  }
});

function valuesOf(message: string): string[] {
  return [...message.matchAll(/\{\w+\}/g)].map(([value]) => value).sort();
}

test.each([
  ['de-AT,de;q=0.9,en;q=0.8', 'de'],
  ['pt-BR', 'pt-BR'],
  ['pt-PT', 'pt'],
  ['no', 'nb'],
  ['zh', 'zh-CN'],
  ['zh-Hant-HK', 'zh-TW'],
  ['xx, fr;q=0.5, ar;q=0.7', 'ar'],
  ['en;q=0, da', 'da'],
  ['xx', undefined],
  ['', undefined],
])('Accept-Language %s is %s', (header, language) => {
  expect(acceptedLanguage(header)).toBe(language);
});

test.each([
  ['en', 0, '0 ms'],
  ['en', 1_000, '1 sec'],
  ['en', 2_345, '2.3 sec'],
  ['en', 12_345, '12 sec'],
  ['en', 90_000, '1 min 30 sec'],
  ['en', 3 * 86_400_000 + 3_600_000, '3 days 1 hr'],
  ['de', 2_345, '2,3 Sek.'],
])('in %s %d ms are %s', (language, ms, text) => {
  expect(new Translator(language).duration(ms)).toBe(text);
});

test('plurals and numbers are those of the language', () => {
  const { text } = new Translator('en');
  expect(text('attention.kept', { count: 1 })).toMatch(/^1 outcome waits/);
  expect(text('attention.kept', { count: 1_234 })).toMatch(/^1,234 outcomes wait/);
});

test.each(translated)('%s: the time zone has a name', (language) => {
  const [label, name] = new Translator(language).zone().split(': ');
  expect(label === 'time zone').toBe(language === 'en');
  expect(new Date().toLocaleString(language, { timeZoneName: 'long' })).toContain(name);
});
