import { MAX_UNITS } from '../shared/flow-limits.ts';
import { isLarge, type HeldResponse } from '../shared/held-response.ts';

/**
 * The number that an RFC 6901 pointer finds in a JSON response; undefined when there is none, or
 * it is no cost.
 */
export function costIn(
  { body, bodyEncoding }: Pick<HeldResponse, 'body' | 'bodyEncoding'>,
  pointer: string,
): number | undefined {
  if (body === null || bodyEncoding !== 'utf8') return undefined;
  try {
    let value: unknown = JSON.parse(isLarge(body) ? body.text() : body);
    for (const token of pointer.split('/').slice(1)) {
      // §4: `~1` first, or `~01` would become `/`.
      const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) {
        return undefined;
      }
      value = (value as Record<string, unknown>)[name];
    }
    // One number in a response must not take the key's budget for ever: `1e999` is JSON too.
    return typeof value === 'number' && value >= 0 && value <= MAX_UNITS ? value : undefined;
  } catch {
    return undefined;
  }
}
