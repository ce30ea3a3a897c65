import { constants } from 'node:http2';
import type { ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import type { Connection, ConnectionUser, OutgoingRequest } from './connection.ts';
import type { Http2Session } from './http2-session.ts';
import type { Headers } from './prepare.ts';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;

/** Methods whose empty body servers want to be told of (RFC 9110 §8.6). */
const WITH_LENGTH = new Set(['POST', 'PUT', 'PATCH']);

/** A place in an HTTP/2 session for one request, and its stream from the request's first byte. */
export class Http2Stream implements Connection {
  readonly reused: boolean;
  readonly #session: Http2Session;
  #user: ConnectionUser | undefined;
  #stream: ClientHttp2Stream | undefined;
  #error: Error | undefined;
  #complete = false;
  #received = 0;
  /** Bytes that the body is to have, where they were announced. */
  #length: number | undefined;
  #hasLength = true;
  #givenBack = false;
  answered = false;

  constructor(session: Http2Session, reused: boolean) {
    this.#session = session;
    this.reused = reused;
  }

  get usable(): boolean {
    return this.#session.usable;
  }

  dispatch(request: OutgoingRequest, user: ConnectionUser): void {
    this.#user = user;
    if (!this.usable) return this.#giveUp(this.#session.error, true);
    user.onStart();
    const { body } = request;
    if (body) void this.#sendAfter(body, request);
    else this.#send(request);
  }

  /** Nothing to do: its place is given back when its stream has closed. */
  release(): void {}

  /** The stream is reset; the session, and what else it carries, goes on. */
  destroy(): void {
    this.#user = undefined;
    if (!this.#stream) return this.#giveBack();
    if (!this.#stream.closed) this.#session.doubt();
    this.#stream.close(NGHTTP2_CANCEL);
  }

  async #sendAfter(pieces: AsyncIterable<Buffer>, request: OutgoingRequest): Promise<void> {
    let body: Buffer | undefined;
    try {
      for await (const piece of pieces) body = piece;
    } catch (error) {
      return this.#giveUp(error as Error, false);
    }
    if (this.#user) this.#send(request, body);
  }

  #send(request: OutgoingRequest, body?: Buffer): void {
    this.#hasLength = request.method !== 'HEAD';
    let stream: ClientHttp2Stream;
    try {
      stream = this.#session.open(headersOf(request, body !== undefined), body);
    } catch (error) {
      // Node refuses what cannot be sent, and everything once the session ends.
      return this.#giveUp(error as Error, !this.usable);
    }
    this.#stream = stream;
    stream
      .on('response', (_headers: unknown, _flags: unknown, pairs: string[]) =>
        this.#onResponse(pairs),
      )
      .on('data', (chunk: Buffer) => this.#onData(chunk))
      .on('end', () => this.#onEnd())
      .on('error', (error) => (this.#error = error))
      .once('close', () => this.#onClose());
  }

  #onResponse(pairs: string[]): void {
    this.answered = true;
    this.#session.heard();
    const { ':status': status, ...headers } = headersFrom(pairs);
    const length = headers['content-length'];
    if (this.#hasLength && status !== '304' && typeof length === 'string') {
      this.#length = Number(length);
    }
    this.#user?.onResponse(Number(status), headers);
  }

  #onData(chunk: Buffer): void {
    this.#session.heard();
    this.#received += chunk.length;
    this.#user?.onData(chunk);
  }

  #onEnd(): void {
    const stream = this.#stream!;
    // Node ends a stream that was reset, too; one that the server ended is still open on our side.
    const isWhole =
      this.#length === undefined
        ? !stream.closed || !stream.writableFinished
        : this.#received === this.#length;
    this.#complete = this.answered && stream.rstCode === NGHTTP2_NO_ERROR && isWhole;
    // An answer before all was sent: the rest is of no use (RFC 9113 §8.1).
    if (!stream.writableFinished) stream.close(NGHTTP2_CANCEL);
  }

  #onClose(): void {
    this.#giveBack();
    if (this.#complete) this.#user?.onEnd();
    else this.#user?.onError(this.#error ?? this.#reset(), !this.#processed);
  }

  /** Before there is a stream. */
  #giveUp(error: Error, unprocessed: boolean): void {
    const user = this.#user;
    this.destroy();
    user?.onError(error, unprocessed);
  }

  #giveBack(): void {
    if (this.#givenBack) return;
    this.#givenBack = true;
    this.#session.giveBack();
  }

  /** RFC 9113 §8.7. What was answered was processed whatever is said later. */
  get #processed(): boolean {
    const { rstCode, id = 0 } = this.#stream!;
    if (this.answered) return true;
    return rstCode !== NGHTTP2_REFUSED_STREAM && this.#session.hasProcessed(id);
  }

  /** Closed without an error: Node's way with CANCEL, and with NO_ERROR. */
  #reset(): Error {
    if (!this.usable) return this.#session.error;
    return Object.assign(new Error('HTTP/2 stream reset by the server'), {
      code: 'ERR_HTTP2_STREAM_ERROR',
    });
  }
}

function headersOf(
  { url, method, headers }: OutgoingRequest,
  hasBody: boolean,
): OutgoingHttpHeaders {
  return {
    ':method': method,
    ':scheme': url.protocol.slice(0, -1),
    ':authority': url.host,
    ':path': url.pathname + url.search,
    ...(!hasBody && WITH_LENGTH.has(method) && { 'content-length': '0' }),
    ...headers,
  };
}

/** Repeated headers as arrays, where Node's own object joins them. */
function headersFrom(pairs: string[]): Headers {
  const headers: Headers = {};
  for (let i = 0; i < pairs.length; i += 2) {
    const [name, value] = [pairs[i]!, pairs[i + 1]!];
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else headers[name] = [before, value];
  }
  return headers;
}
