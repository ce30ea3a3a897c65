/** Temporal takes names and ids of 1 to so many bytes. */
export const MAX_NAME = 1000;

export function isName(value: unknown): value is string {
  if (typeof value !== 'string' || value === '') return false;
  return new TextEncoder().encode(value).length <= MAX_NAME;
}
