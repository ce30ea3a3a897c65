import { AsyncResource } from 'node:async_hooks';
import dns from 'node:dns';
import type { LookupAddress } from 'node:dns';
import type { LookupFunction, Socket } from 'node:net';
import { buildConnector } from 'undici';
import type { AddressGuard } from './address-guard.ts';

export type ConnectOptions = buildConnector.Options;
export type ConnectCallback = buildConnector.Callback;

/** Opens a socket, TLS included. Destroying the returned socket ends the attempt at once. */
export type Connector = (options: ConnectOptions, done: ConnectCallback) => Socket | undefined;

/**
 * Node tries a host's addresses one after the other and gives up on all but the last after this
 * long. Its default of 250 ms rules out every far server whose last address is unreachable.
 */
const ATTEMPT_TIMEOUT = 2_000;

/**
 * undici's connector behind the address guard. The guard sees hosts here, literals among them
 * because Node looks none of those up, and the addresses of a name in its lookup, whose answer is
 * what the socket connects to.
 */
export function createConnector(guard: AddressGuard): Connector {
  const open = buildConnector({
    timeout: 0, // the request's own connectTimeout counts
    lookup: guardedLookup(guard),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT,
    // undici's types leave out the socket that its connector returns
  }) as unknown as Connector;

  // A socket keeps the async context it is opened in, and outlives the request that opens it.
  const scope = new AsyncResource('patient-http:connector');

  return (options, done) => {
    const blocked = guard.checkHost(options.hostname);
    if (!blocked) return scope.runInAsyncScope(open, undefined, options, done);
    done(blocked, null);
    return undefined;
  };
}

type Answer = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/**
 * `dns.lookup` that fails if any one of the answers is blocked. Lookups of a name that are under
 * way are shared: getaddrinfo has four threads, and a burst to one host would hold all of them.
 */
function guardedLookup(guard: AddressGuard): LookupFunction {
  const underWay = new Map<string, Answer[]>();

  const lookup = (host: string, options: dns.LookupOptions, answer: Answer): void => {
    const key = `${host} ${options.family ?? 0} ${options.hints ?? 0}`;
    const waiting = underWay.get(key);
    if (waiting) {
      waiting.push(answer);
      return;
    }
    const answers = [answer];
    underWay.set(key, answers);
    dns.lookup(host, { ...options, all: true }, (error, addresses) => {
      underWay.delete(key);
      for (const each of answers) each(error, addresses);
    });
  };

  return (host, options, callback) => {
    lookup(host, options, (error, addresses) => {
      if (error) return callback(error, '');
      for (const { address } of addresses) {
        const blocked = guard.checkAddress(host, address);
        if (blocked) return callback(blocked, '');
      }
      if (options.all) callback(null, addresses);
      else callback(null, addresses[0]!.address, addresses[0]!.family);
    });
  };
}
