import { readFileSync } from 'node:fs';
import type english from './locales/en.json';

/** Of the original's dashboard; each has its catalogue in `locales/`. */
export const LANGUAGES = [
  ...['ar', 'cs', 'da', 'de', 'el', 'en', 'es', 'fa', 'fr', 'gd', 'he', 'hi', 'it', 'ja', 'ko'],
  ...['lt', 'nb', 'nl', 'pl', 'pt', 'pt-BR', 'ru', 'sv', 'ta', 'tr', 'uk', 'ur', 'vi'],
  ...['zh-CN', 'zh-TW'],
];

const RIGHT_TO_LEFT = new Set(['ar', 'fa', 'he', 'ur']);

/** What browsers ask for under another name than ours. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  no: 'nb',
  nn: 'nb',
  iw: 'he',
  zh: 'zh-CN',
  'zh-hans': 'zh-CN',
  'zh-hant': 'zh-TW',
  'zh-hk': 'zh-TW',
  'zh-mo': 'zh-TW',
};

export type MessageId = keyof typeof english;

/** `{name}` is filled in. By plural category (CLDR) where a message depends on `count`. */
export type Message = string | Partial<Record<Intl.LDMLPluralRule, string>>;
export type Catalogue = Readonly<Partial<Record<MessageId, Message>>>;

const catalogues = new Map<string, Catalogue>();

/** Empty for a language that has none: English stands in, message by message. */
export function catalogueOf(language: string): Catalogue {
  const known = catalogues.get(language);
  if (known) return known;
  const catalogue = readCatalogue(language);
  catalogues.set(language, catalogue);
  return catalogue;
}

function readCatalogue(language: string): Catalogue {
  const file = new URL(`./locales/${language}.json`, import.meta.url);
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Catalogue;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

export function directionOf(language: string): 'ltr' | 'rtl' {
  return RIGHT_TO_LEFT.has(language) ? 'rtl' : 'ltr';
}

/** Ours for a tag such as `pt-br` or `de-AT`. */
export function languageOf(tag: string): string | undefined {
  const lower = tag.trim().toLowerCase();
  for (let name = lower; name; name = name.slice(0, Math.max(0, name.lastIndexOf('-')))) {
    const found = OTHER_NAMES[name] ?? LANGUAGES.find((known) => known.toLowerCase() === name);
    if (found) return found;
  }
  return undefined;
}

/** The best of an Accept-Language header (RFC 9110, section 12.5.4). */
export function acceptedLanguage(header = ''): string | undefined {
  const wishes = header
    .split(',')
    .map((wish) => {
      const [tag = '', quality] = wish.split(/;\s*q=/);
      return { tag, quality: quality === undefined ? 1 : Number(quality) };
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality);
  for (const { tag } of wishes) {
    const language = languageOf(tag);
    if (language) return language;
  }
  return undefined;
}
