import { once } from 'node:events';
import http2 from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { Http2Stream } from './http2-stream.ts';

/** Bytes of one response, and of all of a session, that may be under way unasked for. */
const STREAM_WINDOW = 256 * 1024;
const SESSION_WINDOW = 8 * 1024 * 1024;

/** Node's 128 are fewer than some servers send. */
const MAX_HEADERS = 1000;

/**
 * MB that a session may hold before Node resets its streams. Its 10 would be five requests with the
 * largest body; what is in flight is bounded by `maxConnections` already.
 */
const MAX_MEMORY = 100_000;

/** ms within which a server that is there answers a PING. */
const PING_TIMEOUT = 5_000;

/** ms without a word of the server's after which it may no longer be there. */
const SILENCE = 1_000;

export interface Http2Owner {
  /** The server has told its limits: requests may be sent. */
  onReady(session: Http2Session): void;
  /** It has none. */
  onIdle(session: Http2Session): void;
  onClosed(session: Http2Session, error: Error): void;
}

/** An HTTP/2 session, which carries as many requests at once as the server allows. */
export class Http2Session {
  readonly #owner: Http2Owner;
  readonly #session: ClientHttp2Session;
  readonly #idleTimeout: number;
  #idle: NodeJS.Timeout | undefined;
  #ready = false;
  #leaving = false;
  #taken = 0;
  #heardAt = 0;
  #pings: ((isThere: boolean) => void)[] = [];
  #error: Error | undefined;
  /** Streams above it have not been processed (RFC 9113 §6.8). */
  #lastStream = Infinity;

  constructor(owner: Http2Owner, origin: string, socket: Socket, idleTimeout: number) {
    this.#owner = owner;
    this.#idleTimeout = idleTimeout;
    this.#session = http2.connect(origin, {
      createConnection: () => socket,
      maxHeaderListPairs: MAX_HEADERS,
      maxSessionMemory: MAX_MEMORY,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
    });
    this.#session
      .once('connect', () => this.#session.setLocalWindowSize(SESSION_WINDOW))
      .once('remoteSettings', () => this.#onSettings())
      .on('goaway', (_code, last) => this.#onGoaway(last))
      .on('error', (error) => (this.#error = error))
      .once('close', () => this.#onClose());
  }

  /** Requests that it takes at once, by the server's settings. */
  get limit(): number {
    return this.#session.remoteSettings.maxConcurrentStreams ?? Infinity;
  }

  /** Requests that it takes now. */
  get room(): number {
    return this.#ready && this.usable ? this.limit - this.#taken : 0;
  }

  get usable(): boolean {
    return !this.#leaving && !this.#session.closed && !this.#session.destroyed;
  }

  get error(): Error {
    return this.#error ?? Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });
  }

  /** ms since the server last said something. */
  get silence(): number {
    return performance.now() - this.#heardAt;
  }

  heard(): void {
    this.#heardAt = performance.now();
  }

  /** Asks whether the server is there. One that does not answer gets no more requests. */
  ping(done: (isThere: boolean) => void): void {
    if (!this.usable) return done(false);
    if (this.#pings.push(done) > 1) return;
    const timer = setTimeout(() => this.#onPong(false), PING_TIMEOUT);
    this.#session.ping((error) => {
      clearTimeout(timer);
      this.#onPong(!error);
    });
  }

  /** A request was given up: because of the server, or because nothing of it arrives? */
  doubt(): void {
    if (this.silence > SILENCE) this.ping(() => {});
  }

  /** A place among its requests, to be given back. */
  take(reused: boolean): Http2Stream {
    this.#taken++;
    clearTimeout(this.#idle);
    return new Http2Stream(this, reused);
  }

  giveBack(): void {
    this.#taken--;
    if (this.#taken > 0 || this.#session.destroyed) return;
    if (!this.usable) return void this.close();
    this.#idle = setTimeout(() => void this.close(), this.#idleTimeout);
    this.#owner.onIdle(this);
  }

  open(headers: OutgoingHttpHeaders, body: Buffer | undefined): ClientHttp2Stream {
    const stream = this.#session.request(headers, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    return stream;
  }

  hasProcessed(stream: number): boolean {
    return stream <= this.#lastStream;
  }

  /** What it still carries is cut off. */
  async close(): Promise<void> {
    if (this.#session.destroyed) return;
    this.#session.destroy();
    await once(this.#session, 'close');
  }

  #onSettings(): void {
    this.#ready = true;
    this.heard();
    this.#owner.onReady(this);
  }

  #onGoaway(lastStream: number): void {
    this.#lastStream = Math.min(this.#lastStream, lastStream);
    // It takes no more requests; those it has go on.
    this.#leaving = true;
  }

  #onPong(isThere: boolean): void {
    if (isThere) this.heard();
    else this.#leaving = true;
    if (!isThere && this.#taken === 0) void this.close();
    for (const done of this.#pings.splice(0)) done(isThere && this.usable);
  }

  #onClose(): void {
    this.#leaving = true;
    clearTimeout(this.#idle);
    this.#owner.onClosed(this, this.error);
  }
}
