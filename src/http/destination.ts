import type { Protocol } from '../shared/wire.ts';

/** Where a connection leads, and what is spoken over it. */
export interface Destination {
  /** Connections of the same key serve the same requests. */
  readonly key: string;
  readonly origin: string;
  readonly protocol: Protocol;
}

/** Without TLS there is nobody to ask whether the server speaks HTTP/2: `http2` takes it as known. */
export function destinationOf({ origin, protocol: scheme }: URL, wanted: Protocol): Destination {
  const protocol = scheme === 'http:' && wanted === 'auto' ? 'http1' : wanted;
  return { key: `${protocol} ${origin}`, origin, protocol };
}
