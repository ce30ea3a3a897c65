import { OTHERS } from '../shared/constants.ts';

/** Values that a label may have; each is a time series of its own, for as long as the process. */
const MAX_VALUES = 50;

/** The first values get series of their own; all that come later share one. */
export class BoundedLabel {
  readonly #known = new Set<string>();

  of(value: string): string {
    if (this.#known.has(value)) return value;
    if (this.#known.size === MAX_VALUES) return OTHERS;
    this.#known.add(value);
    return value;
  }
}
