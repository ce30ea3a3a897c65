import type { ResolvedRequest } from '../shared/resolved-request.ts';
import type { HeldResponse } from '../shared/held-response.ts';
import type { TaskView } from './observers.ts';

/** What a response says about another try. */
export interface RetryAdvice {
  /** Wait it asks for (Retry-After and its kin), in ms from now; not yet capped. */
  retryAfter: number | undefined;
  /** Its own word on whether to try again. */
  shouldRetry: boolean | undefined;
}

/** A response as the transport read it: decoded, within the size limit, after all redirects. */
export interface TransportResponse extends Pick<
  HeldResponse,
  'status' | 'headers' | 'body' | 'bodyEncoding' | 'url' | 'method' | 'redirects'
> {
  advice: RetryAdvice;
}

/** What the processor learns and decides while a try is on the wire. */
export interface SendHooks {
  /** Whose try it is, for what watches the transport. */
  task?: TaskView;
  /** Aborts the try wherever it is: a connecting socket is destroyed, an open one closed. */
  signal: AbortSignal;
  /**
   * Awaited once per try, after the connection stands and before the first byte of the request
   * goes out. A rejection ends the try with nothing sent, and is what `send` rejects with.
   */
  beforeFirstByte?: () => Promise<void>;
  /** The first byte of the request is going out now: from here its outcome can be unknown. */
  onSent: () => void;
  /** Encoded bytes of the response body as they arrive. */
  onBytes: (count: number) => void;
}

/**
 * Sends one try of a request: connect, send, all hops, full body.
 * Resolves with the response whatever its status; rejects with a {@link RequestError},
 * or with the signal's reason when it was aborted.
 */
export interface Transport {
  send(request: ResolvedRequest, hooks: SendHooks): Promise<TransportResponse>;
  /** Closes every idle socket and waits for the busy ones; `force` destroys them. */
  close(options?: { force?: boolean }): Promise<void>;
}
