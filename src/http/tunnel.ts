import http from 'node:http';
import type { Socket } from 'node:net';
import { RequestError } from '../shared/errors.ts';
import type { ConnectCallback } from './connector.ts';
import type { Proxy } from './proxy.ts';

/** The proxy may say otherwise next time (RFC 9110 §15.5.9, §15.6; RFC 6585 §4). */
const isTransient = (status: number): boolean => status >= 500 || [408, 425, 429].includes(status);

/** Has the proxy connect the socket to `authority`, a host and its port (RFC 9110 §9.3.6). */
export function openTunnel(
  socket: Socket,
  proxy: Proxy,
  authority: string,
  done: ConnectCallback,
): void {
  const { authorization } = proxy;
  const request = http.request({
    createConnection: () => socket,
    method: 'CONNECT',
    path: authority,
    headers: {
      host: authority,
      connection: 'keep-alive',
      ...(authorization !== undefined && { 'proxy-authorization': authorization }),
    },
  });
  request
    .once('connect', ({ statusCode = 0 }: http.IncomingMessage, _: unknown, head: Buffer) => {
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        return done(refusal(statusCode), null);
      }
      // By now the target cannot have said anything, unless it speaks first.
      if (head.length > 0) socket.unshift(head);
      done(null, socket);
    })
    .once('error', (error) => done(error, null))
    .end();
}

function refusal(status: number): RequestError {
  const what = status === 407 || status === 401 ? 'credentials not accepted' : 'tunnel refused';
  return new RequestError('ConnectionError', `${what} (status ${status})`, {
    transient: isTransient(status),
  });
}
