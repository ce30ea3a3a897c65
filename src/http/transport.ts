import type { Transport } from '../processor/transport.ts';
import { createAddressGuard } from './address-guard.ts';
import type { AddressRules } from './address-guard.ts';
import type { SecureContext } from 'node:tls';
import { Connections } from './connections.ts';
import type { ConnectionsOptions } from './connections.ts';
import { createConnector } from './connector.ts';
import { createProxyChoice } from './proxy.ts';
import type { ProxyOptions } from './proxy.ts';
import { Try, transportClosed } from './try.ts';

export interface TransportOptions extends AddressRules, ConnectionsOptions, ProxyOptions {
  /** Sent where a request has no user-agent of its own. */
  userAgent: string;
  /** What TLS connections trust, and the certificate they show. */
  secureContext: SecureContext;
}

export function createTransport(options: TransportOptions): Transport {
  const { userAgent, secureContext } = options;
  const connector = createConnector(createAddressGuard(options), secureContext);
  const connections = new Connections(connector, options);
  const inFlight = new Set<Try>();
  let closing: (() => void) | undefined;
  let closed: Promise<void> | undefined;

  const onSettled = (settled: Try): void => {
    inFlight.delete(settled);
    if (inFlight.size === 0) closing?.();
  };
  const proxyFor = createProxyChoice(options);
  const context = { connections, proxyFor, userAgent, onSettled };

  return {
    send(request, hooks) {
      if (closed) return Promise.reject(transportClosed('connect'));
      const started = new Try(context, request, hooks);
      inFlight.add(started);
      started.start();
      return started.promise;
    },

    async close({ force = false } = {}) {
      closed ??= new Promise<void>((resolve) => {
        closing = resolve;
        if (inFlight.size === 0) resolve();
      }).then(() => connections.close());
      if (force) for (const each of inFlight) each.abandon();
      await closed;
    },
  };
}
