/** An address as it is, where a URL puts one of IPv6 into brackets. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.+)\]$/, '$1');
}

/**
 * Whether a host is one of `patterns`: exact names and `*.suffix`, which stands for every name
 * below the suffix but not for the suffix itself. Both sides in the form that a URL gives a host;
 * the dot that a fully qualified name may end with makes no difference.
 */
export function hostMatcher(patterns: readonly string[]): (host: string) => boolean {
  const names = new Set(patterns.filter((pattern) => !pattern.startsWith('*.')));
  const suffixes = patterns
    .filter((pattern) => pattern.startsWith('*.'))
    .map((pattern) => pattern.slice(1));
  return (host) => {
    const name = host.endsWith('.') ? host.slice(0, -1) : host;
    return names.has(name) || suffixes.some((suffix) => name.endsWith(suffix));
  };
}
