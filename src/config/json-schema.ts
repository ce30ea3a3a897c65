/** Source of a regular expression for these words in any case: JSON Schema has no flags. */
export function anyCase(...words: readonly string[]): string {
  const spelled = words.map((word) => word.replace(/[a-z]/gi, bothCases));
  return `^(${spelled.join('|')})$`;
}

/** JSON Schema's own `if` and `then` would make an object that `await` takes for a promise. */
export function implies(condition: object, consequence: object): object {
  return { anyOf: [{ not: condition }, consequence] };
}

function bothCases(letter: string): string {
  return `[${letter.toUpperCase()}${letter.toLowerCase()}]`;
}
