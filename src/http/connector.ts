import { AsyncResource } from 'node:async_hooks';
import net from 'node:net';
import type { LookupFunction, Socket, TcpSocketConnectOpts } from 'node:net';
import tls from 'node:tls';
import type { ConnectionOptions, SecureContext } from 'node:tls';
import type { RequestError } from '../shared/errors.ts';
import type { AddressGuard } from './address-guard.ts';
import type { Destination } from './destination.ts';
import { toRequestError } from './error-map.ts';
import { bareHost } from './host-rules.ts';
import { checkedLookups } from './lookup.ts';
import type { Proxy } from './proxy.ts';
import { TlsSessions } from './tls-sessions.ts';
import { openTunnel } from './tunnel.ts';

export type ConnectCallback = (
  ...result: [error: null, socket: Socket] | [error: Error, socket: null]
) => void;

/** A connection attempt. Destroying it ends it at once, without a call back. */
export type Opening = Pick<Socket, 'destroy'>;

/** Opens a socket, by way of the proxy if there is one, TLS included. */
export type Connector = (destination: Destination, done: ConnectCallback) => Opening | undefined;

/**
 * Node tries a host's addresses one after the other and gives up on all but the last after this
 * long. Its default of 250 ms rules out every far server whose last address is unreachable.
 */
const ATTEMPT_TIMEOUT = 2_000;

/** ms without traffic after which the system asks whether the other side still is there. */
const KEEP_ALIVE = 60_000;

/** In our order of preference. */
const ALPN = { auto: ['h2', 'http/1.1'], http1: ['http/1.1'], http2: ['h2'] };

/** Names of the machine that asks (RFC 6761 §6.3), which behind a proxy is the proxy's. */
const LOCALHOST = /(^|\.)localhost\.?$/;

/**
 * Sockets behind the address guard. The guard sees hosts here, literals among them because Node
 * looks none of those up, and the addresses of a name in its lookup, whose answer is what the
 * socket connects to.
 */
export function createConnector(guard: AddressGuard, secureContext: SecureContext): Connector {
  const lookups = checkedLookups();
  const guarded = (url: URL): LookupFunction =>
    lookups((host, address) => guard.checkAddress(host, address, portOf(url)));
  const unguarded = lookups(() => undefined);
  const sessions = new TlsSessions();
  // A socket keeps the async context it is opened in, and outlives the request that opens it.
  const scope = new AsyncResource('patient-http:connector');

  const blocks = (target: URL, proxy: Proxy | undefined): RequestError | undefined => {
    const { hostname } = target;
    const blocked = guard.checkHost(hostname, portOf(target));
    if (blocked || !proxy) return blocked;
    if (LOCALHOST.test(hostname)) {
      return guard.checkAddress(hostname, '127.0.0.1', portOf(target));
    }
    return proxy.isTrusted ? undefined : guard.checkHost(proxy.url.hostname, portOf(proxy.url));
  };

  const secure = (url: URL, options: ConnectionOptions, done: ConnectCallback): Socket => {
    const host = bareHost(url.hostname);
    const { origin } = url;
    const socket = tls.connect({
      ...options,
      secureContext,
      servername: net.isIP(host) ? '' : host.replace(/\.$/, ''),
      session: sessions.get(origin),
    });
    socket.on('session', (session) => sessions.set(origin, session));
    return settle(socket, 'secureConnect', done);
  };

  const open = (
    url: URL,
    lookup: LookupFunction,
    alpn: string[],
    done: ConnectCallback,
  ): Socket => {
    const options: TcpSocketConnectOpts = {
      host: bareHost(url.hostname),
      port: portOf(url),
      lookup,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT,
    };
    if (url.protocol === 'http:') return settle(net.connect(options), 'connect', done);
    return secure(url, { ...options, ALPNProtocols: alpn }, done);
  };

  const openThrough = (proxy: Proxy, destination: Destination, done: ConnectCallback): Opening => {
    const target = new URL(destination.origin);
    const failed = (error: Error): void =>
      done(toRequestError(error, `proxy ${proxy.name}`, 'connect'), null);
    const lookup = proxy.isTrusted ? unguarded : guarded(proxy.url);
    let socket = open(proxy.url, lookup, ALPN.http1, (error, opened) => {
      if (error) return failed(error);
      if (destination.isRelayed) return done(null, opened);
      openTunnel(opened, proxy, `${target.hostname}:${portOf(target)}`, (refused, tunnel) => {
        if (refused) return failed(refused);
        if (target.protocol === 'http:') return done(null, tunnel);
        const options = { socket: tunnel, ALPNProtocols: ALPN[destination.protocol] };
        socket = secure(target, options, done);
      });
    });
    return { destroy: () => socket.destroy() };
  };

  return (destination, done) => {
    const { origin, protocol, proxy } = destination;
    const target = new URL(origin);
    const blocked = blocks(target, proxy);
    if (blocked) {
      done(blocked, null);
      return undefined;
    }
    return scope.runInAsyncScope(() =>
      proxy
        ? openThrough(proxy, destination, done)
        : open(target, guarded(target), ALPN[protocol], done),
    );
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

function portOf({ port, protocol }: URL): number {
  return Number(port) || (protocol === 'https:' ? 443 : 80);
}
