import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Client } from 'undici';
import { RequestError } from '../shared/errors.ts';
import { Attempt } from './attempt.ts';
import type { Connection } from './connection.ts';
import type { Connector } from './connector.ts';
import type { Destination } from './destination.ts';
import { Http1Connection } from './http1-connection.ts';
import type { Http1Owner } from './http1-connection.ts';
import { Http2Session } from './http2-session.ts';
import type { Http2Owner } from './http2-session.ts';

/** A request that wants a connection. */
export interface Waiter {
  /** It waits for this one; when that serves others, for the next. */
  onConnecting(attempt: Attempt): void;
  onConnection(connection: Connection): void;
  onConnectFailed(error: Error): void;
}

/** A connection that nobody uses. */
export type Idle = Http1Connection | Http2Session;

/** What an origin shares with all others. */
export interface OriginContext {
  connector: Connector;
  clientOptions: Client.Options;
  /** How long an unused HTTP/2 session is kept, in ms. */
  idleTimeout: number;
  /** Last used longest ago goes first, here and in the pool. */
  onIdle(connection: Idle): void;
  onBusy(connection: Idle): void;
  /** Nothing is left of it. */
  onEmpty(origin: Origin): void;
}

/**
 * The connections to one destination: HTTP/2 sessions with their free places, or HTTP/1.1
 * connections, as many as there are requests.
 */
export class Origin implements Http1Owner, Http2Owner {
  readonly destination: Destination;
  readonly #context: OriginContext;
  /** HTTP/1.1 connections, the one used last at the end. */
  readonly #idle: Http1Connection[] = [];
  readonly #sessions = new Set<Http2Session>();
  /** Sessions that wait for the server's settings, and for whom. */
  readonly #opening = new Map<Http2Session, Attempt>();
  /** Sessions that are asked whether they still stand, and for whom. */
  readonly #checks = new Map<Http2Session, Attempt>();
  readonly #attempts = new Set<Attempt>();
  /** HTTP/1.1 connections, idle or not. */
  #connections = 0;
  /** Requests that one connection takes at once, as far as is known. */
  #places: number;

  constructor(context: OriginContext, destination: Destination) {
    this.#context = context;
    this.destination = destination;
    this.#places = destination.protocol === 'http1' ? 1 : Infinity;
  }

  /** Gives the waiter a connection that has idled for `maxIdle` ms at most, or a new one. */
  take(waiter: Waiter, maxIdle: number): void {
    if (maxIdle < 0) return this.#connect(waiter);
    const session = this.#sessionWithRoom();
    if (session && session.silence > maxIdle) return this.#check(session, waiter);
    const connection = session ? this.#place(session) : this.#lastUsed(maxIdle);
    if (connection) waiter.onConnection(connection);
    else this.#connect(waiter);
  }

  /** Of use only when no request is in flight any more. */
  async close(): Promise<void> {
    await Promise.all([...this.#idle, ...this.#sessions].map((each) => each.close()));
  }

  onIdle(connection: Idle): void {
    if (connection instanceof Http1Connection) this.#idle.push(connection);
    this.#context.onIdle(connection);
  }

  onReady(session: Http2Session): void {
    const attempt = this.#opening.get(session)!;
    this.#opening.delete(session);
    this.#attempts.delete(attempt);
    this.#sessions.add(session);
    this.#places = session.limit;
    if (session.limit === 0) {
      void session.close();
      return fail(attempt, refused('the server takes no requests at the moment', true));
    }
    while (session.room > 0 && attempt.size > 0) {
      attempt.next()!.onConnection(session.take(false));
    }
    this.#connectRest(attempt);
  }

  onClosed(connection: Idle, error?: Error): void {
    this.#context.onBusy(connection);
    if (connection instanceof Http1Connection) {
      this.#connections--;
      this.#removeIdle(connection);
    } else {
      this.#sessions.delete(connection);
      const attempt = this.#opening.get(connection);
      this.#opening.delete(connection);
      if (attempt) {
        this.#attempts.delete(attempt);
        fail(attempt, error!);
      }
    }
    this.#leaveIfEmpty();
  }

  #sessionWithRoom(): Http2Session | undefined {
    for (const session of this.#sessions) if (session.room > 0) return session;
    return undefined;
  }

  #place(session: Http2Session): Connection {
    this.#context.onBusy(session);
    return session.take(true);
  }

  /** A session that has long been silent may lead nowhere; what is not sent into it is not lost. */
  #check(session: Http2Session, waiter: Waiter): void {
    const underWay = this.#checks.get(session);
    if (underWay) return underWay.join(waiter);
    const attempt = new Attempt(waiter, () => {
      this.#checks.delete(session);
      this.#leaveIfEmpty();
    });
    this.#checks.set(session, attempt);
    session.ping(() => {
      this.#checks.delete(session);
      while (session.room > 0 && attempt.size > 0) {
        attempt.next()!.onConnection(this.#place(session));
      }
      this.#connectRest(attempt);
      this.#leaveIfEmpty();
    });
  }

  #lastUsed(maxIdle: number): Connection | undefined {
    for (let last = this.#idle.at(-1); last; last = this.#idle.at(-1)) {
      // The rest has idled even longer.
      if (last.usable && performance.now() - last.idleSince > maxIdle) return undefined;
      this.#idle.pop();
      this.#context.onBusy(last);
      if (last.usable) return last;
    }
    return undefined;
  }

  #connect(waiter: Waiter): void {
    // One that has place for nobody else need not be looked for among thousands.
    if (this.#places > 1) {
      for (const attempt of this.#attempts) {
        if (attempt.isOpen && attempt.size < this.#places) return attempt.join(waiter);
      }
    }
    const attempt = new Attempt(waiter, () => {
      this.#attempts.delete(attempt);
      this.#leaveIfEmpty();
    });
    this.#attempts.add(attempt);
    const opening = this.#context.connector(this.destination, (error, opened) => {
      if (error) this.#onFailed(attempt, error);
      else this.#onOpened(attempt, opened);
    });
    attempt.opening(opening);
  }

  #onOpened(attempt: Attempt, socket: Socket): void {
    const { origin, protocol, proxy, isRelayed } = this.destination;
    const isHttp2 = origin.startsWith('http:')
      ? protocol === 'http2'
      : (socket as TLSSocket).alpnProtocol === 'h2';
    if (isHttp2) {
      const session = new Http2Session(this, origin, socket, this.#context.idleTimeout);
      this.#opening.set(session, attempt);
      return;
    }
    this.#attempts.delete(attempt);
    if (protocol === 'http2') {
      socket.destroy();
      fail(attempt, refused('the server does not offer HTTP/2 (protocol)', false));
      return this.#leaveIfEmpty();
    }
    this.#places = 1;
    this.#connections++;
    const connection = new Http1Connection(this, socket, {
      origin,
      proxy: isRelayed ? proxy : undefined,
      client: this.#context.clientOptions,
    });
    attempt.next()!.onConnection(connection);
    this.#connectRest(attempt);
  }

  #onFailed(attempt: Attempt, error: Error): void {
    this.#attempts.delete(attempt);
    fail(attempt, error);
    this.#leaveIfEmpty();
  }

  /** Those for whom the connection had no place. */
  #connectRest(attempt: Attempt): void {
    for (let waiter = attempt.next(); waiter; waiter = attempt.next()) this.#connect(waiter);
  }

  #removeIdle(connection: Http1Connection): void {
    // From the front: those that close while they idle are the ones used longest ago.
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
  }

  #leaveIfEmpty(): void {
    const opening = this.#attempts.size + this.#checks.size;
    if (this.#connections + this.#sessions.size + opening > 0) return;
    this.#context.onEmpty(this);
  }
}

function fail(attempt: Attempt, error: Error): void {
  for (let waiter = attempt.next(); waiter; waiter = attempt.next()) waiter.onConnectFailed(error);
}

function refused(message: string, transient: boolean): RequestError {
  return new RequestError('ConnectionError', message, { transient });
}
