/** What a process exposes, by name and labels. */
export interface Scrape {
  readonly text: string;
  readonly names: ReadonlySet<string>;
  /** Sum of the series of this name that have these labels; undefined when there is none. */
  value(name: string, labels?: Record<string, string>): number | undefined;
}

interface Series {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export async function scrape(url: string): Promise<Scrape> {
  const text = await (await fetch(url)).text();
  const series = text.split('\n').flatMap(parseLine);
  return {
    text,
    names: new Set(series.map(({ name }) => name)),
    value(name, labels = {}) {
      const wanted = Object.entries(labels);
      const found = series.filter(
        (each) =>
          each.name === name && wanted.every(([label, value]) => each.labels[label] === value),
      );
      return found.length ? found.reduce((sum, { value }) => sum + value, 0) : undefined;
    },
  };
}

function parseLine(line: string): Series[] {
  const [, name, labels = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined) return [];
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [
    key,
    text,
  ]);
  return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
}
