/** The URL for errors, logs, summaries and metrics: no userinfo, query or fragment. */
export function redactUrl(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return '(invalid url)';
  }
}
