import type { Transport } from '../processor/transport.ts';
import { createAddressGuard } from './address-guard.ts';
import type { AddressRules } from './address-guard.ts';
import type { SecureContext } from 'node:tls';
import { Connections } from './connections.ts';
import type { ConnectionsOptions } from './connections.ts';
import { createConnector } from './connector.ts';
import type { Preprocessors } from './preprocessors.ts';
import { createProxyChoice } from './proxy.ts';
import type { ProxyOptions } from './proxy.ts';
import { secretSource, type SecretSource } from './secret-source.ts';
import { Try, transportClosed } from './try.ts';

/** What only code can give. */
export interface TransportFunctions {
  /** Asked for a secret before `secretsDirectory` and the environment are. */
  secrets?: SecretSource;
  /** By the names that requests call them by. */
  preprocessors?: Preprocessors;
}

export interface TransportOptions
  extends AddressRules, ConnectionsOptions, ProxyOptions, TransportFunctions {
  /** Sent where a request has no user-agent of its own. */
  userAgent: string;
  /** What TLS connections trust, and the certificate they show. */
  secureContext: SecureContext;
  /** One file per secret, as Docker and Kubernetes mount them. */
  secretsDirectory?: string | undefined;
}

export function createTransport(options: TransportOptions): Transport {
  const { userAgent, secureContext, preprocessors = {} } = options;
  const connector = createConnector(createAddressGuard(options), secureContext);
  const connections = new Connections(connector, options);
  const inFlight = new Set<Try>();
  let closing: (() => void) | undefined;
  let closed: Promise<void> | undefined;

  const onSettled = (settled: Try): void => {
    inFlight.delete(settled);
    if (inFlight.size === 0) closing?.();
  };
  const context = {
    ...{ connections, userAgent, preprocessors, onSettled },
    proxyFor: createProxyChoice(options),
    secretSource: secretSource(options.secrets, options.secretsDirectory),
  };

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
