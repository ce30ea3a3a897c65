import { setImmediate } from 'node:timers/promises';
import { RequestError } from '../shared/errors.ts';
import type { Attempt } from './attempt.ts';
import { BodyReader } from './body-reader.ts';
import type { BodySink } from './body-reader.ts';
import type { Connection, ConnectionUser } from './connection.ts';
import { contentDecoders } from './content-encoding.ts';
import { isClosedSocket } from './error-map.ts';
import { connectionGone } from './http1-connection.ts';
import type { Waiter } from './origin.ts';
import { encodeBody } from './prepare.ts';
import type { Headers, PreparedRequest } from './prepare.ts';

/** A redirect's body is read up to here to keep its connection, beyond it the connection goes. */
const MAX_DISCARDED = 64 * 1024;

/** ms; a server keeps an idle connection for longer. */
const LONG_GATE = 1_000;

export interface HopResponse {
  status: number;
  headers: Headers;
  /** Undefined where HTTP allows no body. */
  body: readonly Buffer[] | undefined;
}

/** What a hop asks of and tells the try that it is a part of; the last two end it. */
export interface HopOwner {
  readonly maxResponseSize: number;
  /** To be awaited before the first byte goes out. A rejection has ended the try already. */
  takeGate(): (() => Promise<void>) | undefined;
  onConnecting(): void;
  onConnected(): void;
  onFirstByte(): void;
  onHeaders(): void;
  /** The response only points elsewhere: its body is of no use. */
  follows(status: number, headers: Headers): boolean;
  onBytes(count: number): void;
  onBodyEnd(): void;
  onHopResponse(response: HopResponse): void;
  onHopError(error: unknown, why?: Unanswered): void;
}

/**
 * Why it could be sent once more: `stale`, a connection kept from an earlier request turned out to
 * be closed; `unprocessed`, the server has done nothing about it.
 */
export type Unanswered = 'stale' | 'unprocessed';

/** One request over one connection. */
export class Hop implements Waiter, ConnectionUser, BodySink {
  readonly #owner: HopOwner;
  readonly #request: PreparedRequest;
  #attempt: Attempt | undefined;
  #connection: Connection | undefined;
  #payload: Buffer | undefined;
  /** Its first byte comes out of {@link Hop.#write}. */
  #generated = false;
  #begun = false;
  #over = false;
  #status = 0;
  #headers: Headers = {};
  #encoding: string | string[] | undefined;
  #reader: BodyReader | undefined;
  #discarding = false;
  #discarded = 0;

  constructor(owner: HopOwner, request: PreparedRequest) {
    this.#owner = owner;
    this.#request = request;
  }

  /** Ends it without a report. */
  cancel(): void {
    this.#over = true;
    this.#payload = undefined;
    this.#reader?.cancel();
    this.#attempt?.leave(this);
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  onConnecting(attempt: Attempt): void {
    const isFirst = !this.#attempt;
    this.#attempt = attempt;
    if (isFirst) this.#owner.onConnecting();
  }

  onConnection(connection: Connection): void {
    this.#attempt = undefined;
    this.#connection = connection;
    this.#owner.onConnected();
    try {
      this.#send(connection);
    } catch (error) {
      this.#fail(error);
    }
  }

  onConnectFailed(error: Error): void {
    this.#fail(error);
  }

  onStart(): void {
    // A payload is written, and a gate opened, by the generator that is asked for bytes next.
    if (!this.#over && !this.#generated) this.#begin();
  }

  onResponse(status: number, headers: Headers): void {
    if (this.#over) return;
    if (status < 100) return this.#fail(notHttp(`status ${status}`));
    if (status < 200) return;
    if (!this.#begun) {
      // A 408 for keeping the server waiting, say. It answers nothing that was asked.
      return this.#fail(connectionGone());
    }
    this.#owner.onHeaders();
    this.#status = status;
    this.#headers = headers;
    this.#discarding = this.#owner.follows(status, headers);
    if (!this.#discarding && this.#hasBody) this.#openBody(headers);
  }

  onData(chunk: Buffer): void {
    if (this.#over) return;
    this.#owner.onBytes(chunk.length);
    if (!this.#discarding) return this.#reader?.write(chunk);
    this.#discarded += chunk.length;
    if (this.#discarded > MAX_DISCARDED) {
      this.#connection?.destroy();
      this.#respond(undefined);
    }
  }

  onEnd(): void {
    if (this.#over) return;
    this.#owner.onBodyEnd();
    this.#connection!.release();
    this.#connection = undefined;
    if (this.#reader) this.#reader.end();
    else this.#respond(undefined);
  }

  onError(error: Error, unprocessed: boolean): void {
    if (isLengthMismatch(error) && this.#status !== 0 && !this.#hasBody) return this.#endBodiless();
    if (unprocessed) return this.#fail(error, 'unprocessed');
    const connection = this.#connection;
    const isStale =
      this.#begun && connection?.reused && !connection.answered && isClosedSocket(error);
    this.#fail(error, isStale ? 'stale' : undefined);
  }

  /**
   * A 304 may have the length of what it stands for (RFC 9110 §8.6). Undici misses the body, and
   * ends the connection; the response is complete.
   */
  #endBodiless(): void {
    if (this.#over) return;
    this.#owner.onBodyEnd();
    this.#connection!.destroy();
    this.#connection = undefined;
    this.#respond(undefined);
  }

  onBody(chunks: readonly Buffer[]): void {
    this.#respond(chunks);
  }

  onTooLarge(): void {
    const limit = this.#owner.maxResponseSize;
    const message = `response is larger than ${limit} bytes (maxResponseSize)`;
    this.#fail(new RequestError('ResponseTooLargeError', message));
  }

  onCorrupt(cause: Error): void {
    const message = `response body is not valid ${String(this.#encoding)}`;
    this.#fail(new RequestError('ConnectionError', message, { transient: true, cause }));
  }

  get #hasBody(): boolean {
    return this.#request.method !== 'HEAD' && this.#status !== 204 && this.#status !== 304;
  }

  #openBody(headers: Headers): void {
    const encoding = headers['content-encoding'];
    const decoders = contentDecoders(encoding) ?? [];
    this.#reader = new BodyReader(this, this.#owner.maxResponseSize, decoders);
    if (decoders.length > 0) {
      this.#encoding = encoding;
      delete headers['content-encoding'];
      delete headers['content-length'];
    } else if (Number(headers['content-length']) > this.#owner.maxResponseSize) {
      this.onTooLarge();
    }
  }

  #send(connection: Connection): void {
    const { url, method, headers, body } = this.#request;
    const payload = body && encodeBody(body);
    const gate = this.#owner.takeGate();
    if (payload?.length) this.#payload = payload;
    this.#generated = this.#payload !== undefined || gate !== undefined;
    const request = {
      url,
      method,
      headers: this.#payload
        ? { ...headers, 'content-length': String(this.#payload.length) }
        : headers,
      body: this.#generated ? this.#write(gate) : null,
    };
    connection.dispatch(request, this);
  }

  /** The headers go out with the first piece, so that nothing goes out before the gate. */
  async *#write(gate: (() => Promise<void>) | undefined): AsyncGenerator<Buffer> {
    const asked = performance.now();
    await gate?.();
    // A process that stood still for so long has yet to see that a kept connection was closed.
    if (this.#connection?.reused && performance.now() - asked > LONG_GATE) await nextTurn();
    if (this.#over || !this.#connection?.usable) throw connectionGone();
    this.#begin();
    const payload = this.#payload;
    // From here the request waits without it.
    this.#payload = undefined;
    if (payload) yield payload;
  }

  #begin(): void {
    this.#begun = true;
    this.#owner.onFirstByte();
  }

  #respond(body: readonly Buffer[] | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.onHopResponse({ status: this.#status, headers: this.#headers, body });
  }

  #fail(error: unknown, why?: Unanswered): void {
    if (this.#over) return;
    this.cancel();
    this.#owner.onHopError(error, why);
  }
}

/** Resolves when the event loop has once more looked at all sockets. */
async function nextTurn(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

function isLengthMismatch(error: NodeJS.ErrnoException): boolean {
  return error.code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH';
}

function notHttp(what: string): RequestError {
  return new RequestError('ConnectionError', `response is not valid HTTP (${what})`, {
    transient: true,
  });
}
