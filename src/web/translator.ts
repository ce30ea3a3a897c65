import {
  catalogueOf,
  directionOf,
  type Catalogue,
  type Message,
  type MessageId,
} from './languages.ts';

export type Values = Readonly<Record<string, string | number>>;

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const;

/** Texts, numbers and times of one language. */
export class Translator {
  readonly language: string;
  readonly direction: 'ltr' | 'rtl';
  readonly #catalogue: Catalogue;
  readonly #english = catalogueOf('en');
  readonly #formats = new Map<string, { format(value: number): string }>();
  readonly #plurals: Intl.PluralRules;

  constructor(language: string) {
    this.language = language;
    this.direction = directionOf(language);
    this.#catalogue = catalogueOf(language);
    this.#plurals = new Intl.PluralRules(language);
  }

  /** Numbers among the values are formatted; `count` chooses the plural. */
  readonly text = (id: MessageId, values: Values = {}): string => {
    const message = this.#catalogue[id] ?? this.#english[id] ?? id;
    return this.#choose(message, values).replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = values[name] ?? '';
      return typeof value === 'number' ? this.number(value) : value;
    });
  };

  number(value: number): string {
    return this.#format('number', () => new Intl.NumberFormat(this.language)).format(value);
  }

  percent(share: number): string {
    const options = { style: 'percent', maximumFractionDigits: 1 } as const;
    return this.#format('percent', () => new Intl.NumberFormat(this.language, options)).format(
      share,
    );
  }

  bytes(count: number): string {
    const step = count < 1000 ? 0 : count < 1e6 ? 1 : count < 1e9 ? 2 : 3;
    const unit = (['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const)[step];
    return this.#unit(unit, count / 1000 ** step, step === 0 ? 0 : 1);
  }

  /** In the largest unit that fits, and the one below it. */
  duration(ms: number): string {
    if (ms < 1_000) return this.#unit('millisecond', Math.round(ms), 0);
    const digits = ms < 10_000 && ms % 1_000 !== 0 ? 1 : 0;
    if (ms < 60_000) return this.#unit('second', floorTo(ms / 1_000, digits), digits);
    const first = UNITS.findIndex(([, size]) => ms >= size);
    const [unit, size] = UNITS[first]!;
    const [nextUnit, nextSize] = UNITS[first + 1]!;
    const rest = Math.floor((ms % size) / nextSize);
    const whole = this.#unit(unit, Math.floor(ms / size), 0);
    return rest === 0 ? whole : `${whole} ${this.#unit(nextUnit, rest, 0)}`;
  }

  /** Hour and minute, in the server's time zone. */
  clock(at: number): string {
    return this.#date('clock', { hour: 'numeric', minute: '2-digit' }).format(at);
  }

  /** Of the day, in the server's time zone. */
  time(at: number): string {
    return this.#date('time', { hour: 'numeric', minute: '2-digit', second: '2-digit' }).format(at);
  }

  /** Day and time, in the server's time zone. */
  moment(at: number): string {
    return this.#date('moment', { dateStyle: 'short', timeStyle: 'medium' }).format(at);
  }

  /** What the server's time zone is called now, as `time zone: India Standard Time`. */
  zone(): string {
    return this.#format('zone', () => {
      const names = new Intl.DisplayNames(this.language, { type: 'dateTimeField' });
      const dates = new Intl.DateTimeFormat(this.language, { timeZoneName: 'long' });
      return {
        format(at) {
          const zone = dates.formatToParts(at).find(({ type }) => type === 'timeZoneName');
          return `${names.of('timeZoneName')}: ${zone?.value}`;
        },
      };
    }).format(Date.now());
  }

  #choose(message: Message, { count }: Values): string {
    if (typeof message === 'string') return message;
    const category = this.#plurals.select(Number(count));
    return message[category] ?? message.other ?? '';
  }

  #unit(unit: string, value: number, digits: number): string {
    return this.#format(`${unit} ${digits}`, () => {
      return new Intl.NumberFormat(this.language, {
        ...{ style: 'unit', unit, unitDisplay: 'short' },
        ...{ minimumFractionDigits: digits, maximumFractionDigits: digits },
      });
    }).format(value);
  }

  #date(name: string, options: Intl.DateTimeFormatOptions): { format(value: number): string } {
    return this.#format(name, () => new Intl.DateTimeFormat(this.language, options));
  }

  /** Making a format takes a hundred times as long as using it. */
  #format(name: string, make: () => { format(value: number): string }) {
    const known = this.#formats.get(name) ?? make();
    this.#formats.set(name, known);
    return known;
  }
}

function floorTo(value: number, digits: number): number {
  return Math.floor(value * 10 ** digits) / 10 ** digits;
}

const translators = new Map<string, Translator>();

export function translatorOf(language: string): Translator {
  const known = translators.get(language) ?? new Translator(language);
  translators.set(language, known);
  return known;
}
