import type { Protocol } from '../shared/wire.ts';
import type { Proxy } from './proxy.ts';

/** Where a connection leads, by which way, and what is spoken over it. */
export interface Destination {
  /** Connections of the same key serve the same requests. */
  readonly key: string;
  readonly origin: string;
  readonly protocol: Protocol;
  readonly proxy: Proxy | undefined;
  /** The proxy reads the requests, which name their whole URL; else it passes bytes on. */
  readonly isRelayed: boolean;
}

/** Without TLS there is nobody to ask whether the server speaks HTTP/2: `http2` takes it as known. */
export function destinationOf(
  { origin, protocol: scheme }: URL,
  wanted: Protocol,
  proxy: Proxy | undefined,
): Destination {
  const protocol = scheme === 'http:' && wanted === 'auto' ? 'http1' : wanted;
  const way = proxy ? `${proxy.url.origin} ${proxy.authorization} ${proxy.isTrusted}` : 'direct';
  const isRelayed = proxy !== undefined && scheme === 'http:' && protocol === 'http1';
  return { key: `${protocol} ${origin} ${way}`, origin, protocol, proxy, isRelayed };
}
