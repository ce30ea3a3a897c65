import { AsyncResource } from 'node:async_hooks';
import dns from 'node:dns';
import type { LookupAddress } from 'node:dns';
import net from 'node:net';
import type { LookupFunction, Socket, TcpSocketConnectOpts } from 'node:net';
import tls from 'node:tls';
import type { SecureContext } from 'node:tls';
import type { AddressGuard } from './address-guard.ts';
import type { Destination } from './destination.ts';
import { TlsSessions } from './tls-sessions.ts';

export type ConnectCallback = (
  ...result: [error: null, socket: Socket] | [error: Error, socket: null]
) => void;

/**
 * Opens a socket, TLS included. Destroying what it returns ends the attempt at once, and without a
 * call back.
 */
export type Connector = (destination: Destination, done: ConnectCallback) => Socket | undefined;

/**
 * Node tries a host's addresses one after the other and gives up on all but the last after this
 * long. Its default of 250 ms rules out every far server whose last address is unreachable.
 */
const ATTEMPT_TIMEOUT = 2_000;

/** ms without traffic after which the system asks whether the other side still is there. */
const KEEP_ALIVE = 60_000;

/** In our order of preference. */
const ALPN = { auto: ['h2', 'http/1.1'], http1: ['http/1.1'], http2: ['h2'] };

/**
 * Sockets behind the address guard. The guard sees hosts here, literals among them because Node
 * looks none of those up, and the addresses of a name in its lookup, whose answer is what the
 * socket connects to.
 */
export function createConnector(guard: AddressGuard, secureContext: SecureContext): Connector {
  const lookup = guardedLookup(guard);
  const sessions = new TlsSessions();

  const open = ({ origin, protocol }: Destination, done: ConnectCallback): Socket => {
    const { protocol: scheme, hostname, port } = new URL(origin);
    const host = hostname.replace(/^\[(.+)\]$/, '$1');
    const options: TcpSocketConnectOpts = {
      host,
      port: Number(port) || (scheme === 'https:' ? 443 : 80),
      lookup,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT,
    };
    if (scheme === 'http:') return settle(net.connect(options), 'connect', done);
    const socket = tls.connect({
      ...options,
      secureContext,
      ALPNProtocols: ALPN[protocol],
      servername: net.isIP(host) ? '' : host.replace(/\.$/, ''),
      session: sessions.get(origin),
    });
    socket.on('session', (session) => sessions.set(origin, session));
    return settle(socket, 'secureConnect', done);
  };

  // A socket keeps the async context it is opened in, and outlives the request that opens it.
  const scope = new AsyncResource('patient-http:connector');

  return (destination, done) => {
    const blocked = guard.checkHost(new URL(destination.origin).hostname);
    if (!blocked) return scope.runInAsyncScope(open, undefined, destination, done);
    done(blocked, null);
    return undefined;
  };
}

function settle(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  callback: ConnectCallback,
): Socket {
  let done: ConnectCallback | undefined = callback;
  const end: ConnectCallback = (...result) => {
    const call = done;
    // What is connected needs nobody who waited for it, but somebody who hears of its errors.
    done = undefined;
    call?.(...result);
  };
  return socket
    .setNoDelay(true)
    .setKeepAlive(true, KEEP_ALIVE)
    .once(event, () => end(null, socket))
    .on('error', (error: Error) => end(error, null));
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
