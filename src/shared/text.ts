/** Bytes that a value takes as JSON: what Temporal's limits count. */
export function jsonBytes(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value) ?? '').length;
}

const ELLIPSIS = '…';
/** One byte in JSON; nearly all are, and to encode each takes its time. */
const isPlain = (character: string): boolean => /[ !#-[\]-~]/.test(character);

/** The longest start of a text that takes at most `bytes` inside JSON; an ellipsis marks the cut. */
export function cutText(text: string, bytes: number): string {
  if (text.length <= bytes && jsonBytes(text) - 2 <= bytes) return text;
  let room = bytes - jsonBytes(ELLIPSIS) + 2;
  let end = 0;
  for (const character of text.slice(0, bytes)) {
    room -= isPlain(character) ? 1 : jsonBytes(character) - 2;
    if (room < 0) break;
    end += character.length;
  }
  return text.slice(0, end) + ELLIPSIS;
}
