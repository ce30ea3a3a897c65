import { expect } from 'vitest';

/** Whether any text or bytes in here have one of the values, in whatever form. */
export function expectNoSecret(values: readonly string[], where: Record<string, unknown>): void {
  for (const [place, content] of Object.entries(where)) {
    const text = textOf(content);
    for (const form of values.flatMap(formsOf)) expect(text, place).not.toContain(form);
  }
}

/** All strings and bytes, errors with what belongs to them; bytes as the text that they are. */
function textOf(value: unknown, seen = new Set<unknown>()): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (typeof value !== 'object' || value === null || seen.has(value)) return String(value);
  seen.add(value);
  return Reflect.ownKeys(value)
    .map((key) => `${String(key)} ${textOf((value as Record<PropertyKey, unknown>)[key], seen)}`)
    .join('\n');
}

function formsOf(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1);
  const plain = [value, encodeURIComponent(value), new URLSearchParams({ '': value }).toString()];
  // In base64 text around it shifts it by up to two bytes; its ends are mixed with what is there.
  const shifted = [0, 1, 2].map((shift) =>
    Buffer.from(`${'.'.repeat(shift)}${value}`)
      .toString('base64')
      .slice(4, -4),
  );
  return [...plain.map((text) => text.replace(/^=/, '')), json, ...shifted];
}
