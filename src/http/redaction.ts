import type { TransportResponse } from '../processor/transport.ts';
import { RequestError } from '../shared/errors.ts';
import { HeldBody } from './large-body.ts';

/** Of an error; a chain can be a ring. */
const MAX_CAUSES = 5;

/** Characters up to which a value is looked for in every mixture of its escaped forms. */
const MAX_MIXED = 512;

interface Hidden {
  name: string;
  value: string;
  pattern: RegExp;
}

/** Takes values out of what leaves the worker, in every form that they are likely to come back in. */
export class Redaction {
  readonly #hidden: Hidden[] = [];

  /** Made here, before anything is sent: what is to be hidden can be found. */
  add(name: string, value: string): void {
    const isPlain = /^[A-Za-z0-9]*$/.test(value);
    const source = isPlain || value.length <= MAX_MIXED ? formsOf(value) : wholeFormsOf(value);
    this.#hidden.push({ name, value, pattern: new RegExp(source, 'g') });
    // One that another is a part of is looked for first.
    this.#hidden.sort((a, b) => b.value.length - a.value.length);
  }

  finds(text: string): boolean {
    return this.text(text) !== text;
  }

  text(text: string): string {
    let clean = text;
    for (const { name, pattern } of this.#hidden) {
      clean = clean.replace(pattern, () => `[secret ${name}]`);
    }
    return clean;
  }

  response(response: TransportResponse): TransportResponse {
    const { headers, body, bodyEncoding, url, redirects } = response;
    return {
      ...response,
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [
          name,
          Array.isArray(value) ? value.map((each) => this.text(each)) : this.text(value),
        ]),
      ),
      body: this.#body(body, bodyEncoding),
      url: this.text(url),
      redirects: redirects.map((visited) => this.text(visited)),
    };
  }

  #body(
    body: TransportResponse['body'],
    bodyEncoding: TransportResponse['bodyEncoding'],
  ): TransportResponse['body'] {
    if (body instanceof HeldBody) return body.cleaned((text) => this.text(text));
    if (typeof body !== 'string') return body;
    return bodyEncoding === 'utf8' ? this.text(body) : this.#base64(body);
  }

  /** Of bytes, one character each: what was text in them shows as it does in a header. */
  #base64(encoded: string): string {
    const bytes = Buffer.from(encoded, 'base64').toString('latin1');
    return Buffer.from(this.text(bytes), 'latin1').toString('base64');
  }

  /** What a try ends with; its causes are copies, for libraries keep data of ours in errors. */
  error(error: unknown, depth = 0): unknown {
    if (this.#hidden.length === 0) return error;
    if (typeof error === 'string') return this.text(error);
    if (!(error instanceof Error)) return undefined;
    const cause = depth < MAX_CAUSES ? this.error(error.cause, depth + 1) : undefined;
    if (error instanceof RequestError) {
      const { type, message, phase, transient } = error;
      return new RequestError(type, this.text(message), { phase, transient, cause });
    }
    const copy = new Error(this.text(error.message), cause === undefined ? undefined : { cause });
    copy.name = error.name;
    copy.stack = this.text(error.stack ?? '');
    const { code } = error as NodeJS.ErrnoException;
    return code === undefined ? copy : Object.assign(copy, { code });
  }
}

/** A long value with other characters than letters: all of it escaped in one way, or in base64. */
function wholeFormsOf(value: string): string {
  const texts = [
    value,
    encodeURIComponent(value.toWellFormed()),
    JSON.stringify(value).slice(1, -1),
    Buffer.from(value).toString('latin1'),
  ].map(literal);
  return [...new Set(texts), ...insideBase64(Buffer.from(value))].join('|');
}

/** The value as it is and with any of its characters escaped, and inside of base64. */
function formsOf(value: string): string {
  const pieces = value.match(/\\+|[^\\]/gu) ?? [];
  const plain = pieces.map((piece, i) => {
    return piece.startsWith('\\')
      ? formsOfBackslashes(piece.length)
      : formsOfCharacter(piece, pieces[i - 1]?.startsWith('\\'));
  });
  return [plain.join(''), ...insideBase64(Buffer.from(value))].join('|');
}

const NAMED: Record<string, string | undefined> = {
  '&': 'amp',
  '<': 'lt',
  '>': 'gt',
  '"': 'quot',
  "'": 'apos',
};

/**
 * A row of them is taken as one, with those that escape what comes next: one by one it would match
 * in so many ways that a search might never end.
 */
function formsOfBackslashes(count: number): string {
  const escaped = `(?:%(?:25)?5[cC]|\\\\{1,3}u005[cC]|&#92;){${count}}`;
  return `(?:\\\\{${count},${4 * count + 3}}(?!\\\\)|${escaped})`;
}

/** Letters and digits, which nothing escapes, stay single characters: a pattern that is quick. */
function formsOfCharacter(character: string, isEscaped = false): string {
  if (/^[A-Za-z0-9]$/.test(character)) return character;
  const utf8 = [...Buffer.from(character)];
  const units = [...Array(character.length).keys()].map((i) => character.charCodeAt(i));
  const point = character.codePointAt(0)!;
  const [maybe, escape] = isEscaped ? ['', ''] : ['\\\\{0,3}', '\\\\{1,3}'];
  const forms = [
    `${maybe}${literal(character)}`,
    // Also twice, as in a URL within a URL.
    utf8.map((byte) => `%(?:25)?${hex(byte, 2)}`).join(''),
    `${escape}${units.map((unit) => `u${hex(unit, 4)}`).join('\\\\{1,3}')}`,
    `&#(?:0*${point}|[xX]0*${hex(point, 1)});`,
  ];
  const named = NAMED[character];
  if (named !== undefined) forms.push(`&${named};`);
  if (character === ' ') forms.push('\\+');
  if (character === '\n') forms.push(`${escape}n`);
  if (character === '\r') forms.push(`${escape}r`);
  if (character === '\t') forms.push(`${escape}t`);
  // UTF-8 that was read as Latin-1: headers, and bytes that are no text.
  if (utf8.length > 1) forms.push(literal(Buffer.from(character).toString('latin1')));
  return `(?:${forms.join('|')})`;
}

/**
 * The value somewhere in a longer text, all of it in base64: one form for each way in which its
 * bytes can fall on the groups of three. A character at either end is only partly ours.
 */
function insideBase64(value: Buffer): string[] {
  return [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), value]).toString('base64');
    const start = Math.ceil((before * 8) / 6);
    const end = Math.floor(((before + value.length) * 8) / 6);
    const ours = Array.from(encoded.slice(start, end), formsOfBase64).join('');
    const isCutBefore = before > 0;
    const isCutAfter = end * 6 < (before + value.length) * 8;
    return `${isCutBefore ? PARTLY : ''}${ours}${isCutAfter ? `${PARTLY}={0,2}` : ''}`;
  });
}

const PARTLY = '[A-Za-z0-9+/_-]';

function formsOfBase64(character: string): string {
  if (character === '+') return `(?:${formsOfCharacter('+')}|-)`;
  if (character === '/') return `(?:${formsOfCharacter('/')}|_)`;
  return character;
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** In either case. */
function hex(number: number, digits: number): string {
  const text = number.toString(16).padStart(digits, '0');
  return text.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}
