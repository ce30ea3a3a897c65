import type { Socket } from 'node:net';
import { Client } from 'undici';
import type { Dispatcher } from 'undici';
import { RequestError } from '../shared/errors.ts';
import type { Connection, ConnectionUser, OutgoingRequest } from './connection.ts';
import type { ConnectCallback } from './connector.ts';
import type { Headers } from './prepare.ts';
import type { Proxy } from './proxy.ts';

export interface Http1Owner {
  /** It waits for another request. */
  onIdle(connection: Http1Connection): void;
  onClosed(connection: Http1Connection): void;
}

export interface Http1Options {
  origin: string;
  /** At the other end of the socket: it is told the whole URL (RFC 9112 §3.2.2). */
  proxy: Proxy | undefined;
  client: Client.Options;
}

/** One undici client, which means one socket, for one request at a time. */
export class Http1Connection implements Connection, Dispatcher.DispatchHandler {
  readonly #owner: Http1Owner;
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #proxy: Proxy | undefined;
  #user: ConnectionUser | undefined;
  #bytesBefore = 0;
  #handedOver = false;
  /** undici wanted another socket: the request has seen none. */
  #gone = false;
  #isClosing = false;
  reused = false;
  idleSince = 0;

  constructor(owner: Http1Owner, socket: Socket, { origin, proxy, client }: Http1Options) {
    this.#owner = owner;
    this.#socket = socket;
    this.#proxy = proxy;
    this.#client = new Client(origin, {
      ...client,
      connect: (_target, done) => this.#handOver(done),
    });
    socket.once('close', () => owner.onClosed(this));
  }

  get usable(): boolean {
    return !this.#isClosing && !this.#socket.destroyed && this.#socket.readable;
  }

  get answered(): boolean {
    return this.#socket.bytesRead !== this.#bytesBefore;
  }

  dispatch({ url, method, headers, body }: OutgoingRequest, user: ConnectionUser): void {
    this.#user = user;
    this.#bytesBefore = this.#socket.bytesRead;
    const proxy = this.#proxy;
    const authorization = proxy?.authorization;
    const options = {
      path: proxy ? url.href : url.pathname + url.search,
      method,
      headers:
        authorization === undefined
          ? headers
          : { ...headers, 'proxy-authorization': authorization },
      body,
      // undici takes async iterables, its types do not
    } as Dispatcher.DispatchOptions;
    this.#client.dispatch(options, this);
  }

  release(): void {
    this.#user = undefined;
    this.reused = true;
    this.idleSince = performance.now();
    this.#owner.onIdle(this);
  }

  destroy(): void {
    this.#user = undefined;
    // Without one of undici's codes, which would make its client connect again.
    const error = new Error('connection closed');
    this.#client.destroy(error, () => {});
    this.#socket.destroy(error);
  }

  /** From now on it takes no request. A no-op the second time. */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    await this.#client.close();
  }

  onRequestStart(): void {
    this.#user?.onStart();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: NodeJS.Dict<string | string[]>,
  ): void {
    this.#user?.onResponse(status, headers as Headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#user?.onData(chunk);
  }

  onResponseEnd(): void {
    // undici takes a reset for the end of a body that only the end of the connection delimits.
    const reset = this.#socket.errored;
    if (reset) this.#user?.onError(reset, false);
    else this.#user?.onEnd();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#user?.onError(error, this.#gone);
  }

  /** Once only: the client's own reconnecting would go past the pool. */
  #handOver(done: ConnectCallback): void {
    queueMicrotask(() => {
      this.#gone = this.#handedOver || !this.usable;
      this.#handedOver = true;
      if (this.#gone) done(connectionGone(), null);
      else done(null, this.#socket);
    });
  }
}

export function connectionGone(): RequestError {
  return new RequestError('ConnectionError', 'connection given up before the request was sent', {
    transient: true,
  });
}
