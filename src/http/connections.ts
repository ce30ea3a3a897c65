import type { Socket } from 'node:net';
import { Client } from 'undici';
import type { Dispatcher } from 'undici';
import type { ConnectCallback, ConnectOptions, Connector } from './connector.ts';

/** A request that goes over a connection. */
export interface ConnectionUser extends Dispatcher.DispatchHandler {
  /** A socket is being opened for it: the one it was to use, if any, has gone. */
  onConnecting(): void;
}

/**
 * Connections by origin, as many as there are requests. Its own pool rather than undici's Agent,
 * because a request here must know its socket: whether it was used before, how long it idled,
 * and which connecting one to destroy on abort. Taking the one used last is O(1), and lets the
 * surplus idle out.
 */
export class Connections {
  readonly #connector: Connector;
  readonly #options: Client.Options;
  readonly #idle = new Map<string, Connection[]>();
  #closed = false;

  constructor(connector: Connector, idleConnectionTimeout: number) {
    this.#connector = connector;
    this.#options = {
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: Math.max(1, idleConnectionTimeout),
      // A server's `Keep-Alive: timeout=…` may shorten the time but not lengthen it.
      keepAliveMaxTimeout: Math.max(1, idleConnectionTimeout),
    };
  }

  /** An idle connection, or a new one if none has been used in the last `maxIdle` ms. */
  take(origin: string, maxIdle: number): Connection {
    const idle = this.#idle.get(origin);
    for (let last = idle?.at(-1); last; last = idle?.at(-1)) {
      // The rest has idled even longer.
      if (last.usable && performance.now() - last.idleSince > maxIdle) break;
      this.remove(last);
      if (last.usable) return last;
    }
    return new Connection(this, origin, this.#connector, this.#options);
  }

  put(connection: Connection): void {
    if (this.#closed) return connection.destroy();
    const idle = this.#idle.get(connection.origin);
    if (idle) idle.push(connection);
    else this.#idle.set(connection.origin, [connection]);
  }

  remove(connection: Connection): void {
    const idle = this.#idle.get(connection.origin);
    const index = idle?.lastIndexOf(connection) ?? -1;
    if (index === -1) return;
    idle!.splice(index, 1);
    // Or every origin there ever was would stay.
    if (idle!.length === 0) this.#idle.delete(connection.origin);
  }

  /** Closes the idle ones; those in use are closed when they are put back. */
  async close(): Promise<void> {
    this.#closed = true;
    const idle = [...this.#idle.values()].flat();
    await Promise.all(idle.map((connection) => connection.client.close()));
  }
}

/** One undici client, which means one socket, for one request at a time. */
export class Connection {
  readonly origin: string;
  readonly client: Client;
  readonly #pool: Connections;
  readonly #connector: Connector;
  #user: ConnectionUser | undefined;
  #socket: Socket | undefined;
  idleSince = 0;

  constructor(pool: Connections, origin: string, connector: Connector, options: Client.Options) {
    this.#pool = pool;
    this.#connector = connector;
    this.origin = origin;
    this.client = new Client(origin, {
      ...options,
      connect: (target, done) => this.#connect(target, done),
    });
  }

  /** The socket stands and nothing has been said against it. */
  get usable(): boolean {
    return this.#socket !== undefined && !this.#socket.destroyed && this.#socket.readable;
  }

  get socket(): Socket | undefined {
    return this.#socket;
  }

  dispatch(options: Dispatcher.DispatchOptions, user: ConnectionUser): void {
    this.#user = user;
    this.client.dispatch(options, user);
  }

  /** The response has been read to its end. */
  release(): void {
    this.#user = undefined;
    this.idleSince = performance.now();
    this.#pool.put(this);
  }

  /** Ends whatever it is doing, a connection attempt included. */
  destroy(): void {
    this.#user = undefined;
    // Without one of undici's codes, which would make its client connect again.
    const error = new Error('connection closed');
    this.client.destroy(error, () => {});
    this.#socket?.destroy(error);
  }

  #connect(target: ConnectOptions, done: ConnectCallback): void {
    this.#user?.onConnecting();
    this.#socket = this.#connector(target, done);
    this.#socket?.once('close', () => this.#pool.remove(this));
  }
}
