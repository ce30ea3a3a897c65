import type { Headers, PreparedRequest } from './prepare.ts';

/** A request as it goes over a connection: the body is asked for its bytes when it may begin. */
export interface OutgoingRequest extends Pick<PreparedRequest, 'url' | 'method' | 'headers'> {
  /** Null: none, and nothing to wait for. Else nothing goes out before its first piece or its end. */
  body: AsyncIterable<Buffer> | null;
}

/** What goes over a connection hears how it goes; after `onEnd` or `onError` nothing more. */
export interface ConnectionUser {
  /** The request is written next, or its body asked. */
  onStart(): void;
  /** The final response's, or that of an informational one. */
  onResponse(status: number, headers: Headers): void;
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** `unprocessed`: by the protocol's word, the server has done nothing about the request. */
  onError(error: Error, unprocessed: boolean): void;
}

/** What carries one request at a time: an HTTP/1.1 connection, or a stream of an HTTP/2 session. */
export interface Connection {
  /** It stood before the request wanted it, and may turn out to be closed. */
  readonly reused: boolean;
  /** Nothing has been said against it. */
  readonly usable: boolean;
  /** Bytes have come back for the current request. */
  readonly answered: boolean;
  dispatch(request: OutgoingRequest, user: ConnectionUser): void;
  /** The response has been read to its end. */
  release(): void;
  /** Ends the request, whatever it is doing. Its user hears nothing more. */
  destroy(): void;
}
