import { MAX_OUTCOMES_BYTES } from '../src/shared/batch-spec.ts';
import { jsonBytes } from '../src/shared/text.ts';

export interface Part<T> {
  items: T[];
  /** Of the list, as JSON. */
  bytes: number;
}

/**
 * The items in order, as many in a part as one argument of an activity takes, and `most` of them; one
 * alone may be larger.
 */
export function inParts<T>(items: T[], most = Infinity): Part<T>[] {
  const parts: { items: T[]; own: number }[] = [];
  for (const item of items) {
    const more = jsonBytes(item);
    const part = parts.at(-1);
    if (part && part.items.length < most && part.own + more <= MAX_OUTCOMES_BYTES) {
      part.items.push(item);
      part.own += more;
    } else {
      parts.push({ items: [item], own: more });
    }
  }
  // Brackets, and a comma between two.
  return parts.map(({ items, own }) => ({ items, bytes: own + items.length + 1 }));
}
