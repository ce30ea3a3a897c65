import { keyFromString, type RequestKey } from '../../shared/request-key.ts';

/** From the text of a query or form; undefined for what is none. */
export function readKey(text: string): RequestKey | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts)) return undefined;
  const [names, index] = [parts.slice(0, 4), parts.slice(4)];
  const isKey =
    names.length === 4 &&
    names.every((name) => typeof name === 'string') &&
    (index.length === 0 || (index.length === 1 && Number.isSafeInteger(index[0])));
  return isKey ? keyFromString(text) : undefined;
}
