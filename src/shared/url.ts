/** The URL for errors, logs, summaries and metrics: no userinfo, query or fragment. */
export function redactUrl(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return '(invalid url)';
  }
}

/**
 * What cannot be parsed, quoted so that one sees where it was meant to go. With an `@` in it, it
 * may show a password wherever it is cut.
 */
export function quoteUrl(text: unknown): string {
  if (typeof text !== 'string') return `a ${typeof text}`;
  if (text.includes('@')) return 'one that cannot be parsed';
  const [start = ''] = text.split(/[?#]/, 1);
  return JSON.stringify(start.length > 100 ? `${start.slice(0, 100)}…` : start);
}
