import net from 'node:net';
import { bareHost, hostMatcher } from './host-rules.ts';

/** Where connections go instead of their target. Of its credentials no message knows. */
export interface Proxy {
  readonly url: URL;
  /** `host:port`, as messages name it. */
  readonly name: string;
  /** Value of `Proxy-Authorization`. */
  readonly authorization: string | undefined;
  /** The worker's own, which the address guard lets be wherever it is. */
  readonly isTrusted: boolean;
}

export interface ProxyOptions {
  /** The worker's own, with its credentials if it wants some. */
  proxyUrl?: string | undefined;
  /** Hosts, `*.suffix`es, addresses and CIDRs that it is not used for. */
  noProxy: readonly string[];
}

/** The proxy for a URL: the request's own, none (`null`), or without either the worker's. */
export type ProxyChoice = (target: URL, own: string | null | undefined) => Proxy | undefined;

export function createProxyChoice({ proxyUrl, noProxy }: ProxyOptions): ProxyChoice {
  const common = proxyUrl === undefined ? undefined : parseProxy(proxyUrl, true);
  const isDirect = exceptions(noProxy);
  return (target, own) => {
    if (typeof own === 'string') return parseProxy(own, false);
    if (own === null || !common) return undefined;
    return isDirect(target.hostname) ? undefined : common;
  };
}

function parseProxy(text: string, isTrusted: boolean): Proxy {
  const url = new URL(text);
  const { hostname, port, protocol, username, password } = url;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  url.username = '';
  url.password = '';
  return {
    url,
    name: `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`,
    authorization:
      credentials === ':' ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`,
    isTrusted,
  };
}

function exceptions(noProxy: readonly string[]): (hostname: string) => boolean {
  const isNamed = hostMatcher(noProxy.filter((entry) => !entry.includes('/')));
  const networks = new net.BlockList();
  for (const entry of noProxy) {
    const [address = '', bits] = entry.split('/');
    if (bits !== undefined) networks.addSubnet(address, Number(bits), familyOf(address));
  }
  return (hostname) => {
    const address = bareHost(hostname);
    return net.isIP(address) ? networks.check(address, familyOf(address)) : isNamed(hostname);
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return net.isIPv4(address) ? 'ipv4' : 'ipv6';
}
