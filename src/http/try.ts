import { RequestError } from '../shared/errors.ts';
import type { ResolvedRequest } from '../shared/resolved-request.ts';
import type { Phase } from '../shared/wire.ts';
import { redactUrl } from '../shared/url.ts';
import type { SendHooks, TransportResponse } from '../processor/transport.ts';
import type { Connections } from './connections.ts';
import { destinationOf } from './destination.ts';
import type { Destination } from './destination.ts';
import { toRequestError } from './error-map.ts';
import { finishRequest, resolveProxyUrl } from './finish.ts';
import { Hop } from './hop.ts';
import type { HopOwner, HopResponse, Unanswered } from './hop.ts';
import { prepareRequest } from './prepare.ts';
import type { Headers, PreparedRequest } from './prepare.ts';
import type { Preprocessors } from './preprocessors.ts';
import type { ProxyChoice } from './proxy.ts';
import type { Proxy } from './proxy.ts';
import { RedirectChain, redirectLocation } from './redirects.ts';
import type { SecretSource } from './secret-source.ts';
import { Secrets } from './secrets.ts';
import { retryAdvice } from './retry-after.ts';
import { decodeText } from './text.ts';
import { MAX_TIMER } from '../shared/constants.ts';

/** A server may close an idle socket at any time; one used this recently is likely to stand. */
const FRESH = 1_000;
const NEVER_USED = -1;

type Limit = 'timeout' | 'connectTimeout' | 'firstByteTimeout' | 'idleTimeout';

const MISSED: Record<Limit, string> = {
  timeout: 'not finished',
  connectTimeout: 'not connected',
  firstByteTimeout: 'no response',
  idleTimeout: 'no more of the response',
};

export interface TryContext {
  connections: Connections;
  proxyFor: ProxyChoice;
  userAgent: string;
  secretSource: SecretSource;
  preprocessors: Preprocessors;
  onSettled: (settled: Try) => void;
}

/**
 * One try of a request, from preparation to the last byte of the last hop. Owns the timers, the
 * abort and the promise; whichever of them comes first settles it, and the rest falls silent.
 */
export class Try implements HopOwner {
  readonly promise: Promise<TransportResponse>;
  readonly #context: TryContext;
  readonly #request: ResolvedRequest;
  readonly #hooks: SendHooks;
  #resolve!: (response: TransportResponse) => void;
  #reject!: (reason: unknown) => void;
  #current: PreparedRequest | undefined;
  /** Undefined where there is nothing to put in and nothing to take out again. */
  #secrets: Secrets | undefined;
  /** The request's own; a secret one is here once it is known. */
  #proxyUrl: string | null | undefined;
  #chain: RedirectChain | undefined;
  #hop: Hop | undefined;
  /** The proxy that reads this hop's request, and not only its bytes. */
  #relay: Proxy | undefined;
  #overall: NodeJS.Timeout | undefined;
  #step: NodeJS.Timeout | undefined;
  #gatePassed = false;
  #sent = false;
  /** An earlier hop was. */
  #sentBefore = false;
  /** The current one was, because it had not been processed. */
  #sentOnceMore = false;
  #settled = false;

  constructor(context: TryContext, request: ResolvedRequest, hooks: SendHooks) {
    this.#context = context;
    this.#request = request;
    this.#hooks = hooks;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  start(): void {
    const { signal } = this.#hooks;
    if (signal.aborted) return this.fail(signal.reason);
    try {
      this.#current = prepareRequest(this.#request, this.#context.userAgent);
    } catch (error) {
      return this.#failWith(error);
    }
    const { secrets, preprocessors, proxyUrl } = this.#request;
    const isSecretProxy = typeof proxyUrl === 'object' && proxyUrl !== null;
    if (!isSecretProxy) this.#proxyUrl = proxyUrl;
    if (secrets || preprocessors.length > 0 || isSecretProxy) {
      this.#secrets = new Secrets(this.#context.secretSource);
    }
    signal.addEventListener('abort', this);
    this.#overall = startTimer(this, 'timeout', this.#request.timeout);
    this.#dispatch();
  }

  /** The signal's listener is the object itself: no closure per request. */
  handleEvent(): void {
    this.fail(this.#hooks.signal.reason);
  }

  expire(limit: Limit): void {
    const message = `${this.#label}: ${MISSED[limit]} after ${this.#request[limit]} ms (${limit})`;
    const phase = this.#phase;
    this.fail(new RequestError('TimeoutError', message, { phase, transient: true }));
  }

  /** Ends the try wherever it is; does nothing after its end. */
  fail(reason: unknown): void {
    if (this.#settled) return;
    const redaction = reason instanceof RequestError && this.#secrets?.redaction;
    const shown = redaction ? redaction.error(reason) : reason;
    this.#settle();
    this.#hop?.cancel();
    this.#hop = undefined;
    this.#reject(shown);
  }

  /** The transport is closed by force. */
  abandon(): void {
    this.fail(transportClosed(this.#phase));
  }

  get maxResponseSize(): number {
    return this.#request.maxResponseSize;
  }

  takeGate(): (() => Promise<void>) | undefined {
    const { beforeFirstByte } = this.#hooks;
    if (this.#gatePassed || !beforeFirstByte) return undefined;
    return () => this.#passGate(beforeFirstByte);
  }

  onConnecting(): void {
    this.#arm('connectTimeout');
  }

  onConnected(): void {
    this.#disarm();
  }

  onFirstByte(): void {
    this.#arm('firstByteTimeout');
    if (this.#sent) return;
    this.#sent = true;
    this.#hooks.onSent();
  }

  onHeaders(): void {
    this.#arm('idleTimeout');
  }

  follows(status: number, headers: Headers): boolean {
    return redirectLocation(status, headers, this.#request.maxRedirects) !== undefined;
  }

  onBytes(count: number): void {
    this.#step?.refresh();
    this.#hooks.onBytes(count);
  }

  onBodyEnd(): void {
    this.#disarm();
  }

  onHopResponse(response: HopResponse): void {
    const { status, headers } = response;
    if (status === 407 && this.#relay) {
      const message = `${this.#label}: proxy ${this.#relay.name}: credentials not accepted`;
      return this.fail(new RequestError('ConnectionError', message, { phase: 'connect' }));
    }
    const location = redirectLocation(status, headers, this.#request.maxRedirects);
    if (location === undefined) return this.#deliver(response);
    try {
      this.#chain ??= new RedirectChain(this.#request, this.#secrets?.redaction);
      this.#current = this.#chain.next(this.#current!, status, location);
    } catch (error) {
      return this.fail(error);
    }
    this.#sentBefore = this.#sent;
    this.#sentOnceMore = false;
    this.#dispatch();
  }

  onHopError(error: unknown, why?: Unanswered): void {
    if (why === 'unprocessed') this.#sent = this.#sentBefore;
    if (why === 'unprocessed' || (why === 'stale' && this.#request.resendable)) {
      // Once, and on a new connection, so that it cannot be stale again.
      const again = !this.#sentOnceMore;
      this.#sentOnceMore = true;
      if (again) return this.#dispatch(NEVER_USED);
    }
    this.#failWith(error);
  }

  #dispatch(maxIdle?: number): void {
    const request = this.#current!;
    // At once, where there is nothing to wait for.
    if (!this.#secrets) return this.#send(request, maxIdle);
    this.#finish(request, this.#secrets).then(
      (finished) => {
        if (!this.#settled) this.#send(finished, maxIdle);
      },
      (error: unknown) => this.#failWith(error),
    );
  }

  async #finish(request: PreparedRequest, secrets: Secrets): Promise<PreparedRequest> {
    const { proxyUrl } = this.#request;
    if (typeof proxyUrl === 'object' && proxyUrl !== null) {
      this.#proxyUrl = await resolveProxyUrl(proxyUrl, secrets);
    }
    return finishRequest(request, secrets, this.#context.preprocessors);
  }

  #send(request: PreparedRequest, maxIdle: number | undefined): void {
    const { connections, proxyFor } = this.#context;
    this.#hop = new Hop(this, request);
    try {
      const proxy = proxyFor(request.url, this.#proxyUrl);
      const destination = destinationOf(request.url, this.#request.protocol, proxy);
      this.#relay = destination.isRelayed ? proxy : undefined;
      if (this.#relay?.authorization !== undefined) this.#hide(this.#relay.authorization);
      connections.take(destination, maxIdle ?? this.#maxIdle(destination), this.#hop);
    } catch (error) {
      this.#failWith(error);
    }
  }

  /** A relaying proxy sees them in the request's own headers, and may pass them on. */
  #hide(authorization: string): void {
    this.#secrets ??= new Secrets(this.#context.secretSource);
    this.#secrets.redaction.add('proxyUrl', authorization.replace('Basic ', ''));
  }

  /** How long a connection may have idled, in ms, for it to be used. */
  #maxIdle({ isRelayed }: Destination): number {
    if (this.#request.resendable) return Infinity;
    // There are proxies that close after each answer without saying so in it.
    return isRelayed ? NEVER_USED : FRESH;
  }

  #failWith(error: unknown): void {
    this.fail(toRequestError(error, this.#label, this.#phase));
  }

  async #passGate(open: () => Promise<void>): Promise<void> {
    try {
      await open();
      this.#gatePassed = true;
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  #deliver(response: HopResponse): void {
    let delivered: TransportResponse;
    try {
      delivered = this.#toResponse(response);
    } catch (error) {
      return this.#failWith(error);
    }
    this.#settle();
    this.#resolve(delivered);
  }

  #toResponse({ status, headers, body }: HopResponse): TransportResponse {
    const { url, method } = this.#current!;
    const response = {
      status,
      headers,
      ...(body ? decodeText(body, single(headers['content-type'])) : NO_BODY),
      url: url.href,
      method,
      redirects: this.#chain?.urls ?? [],
      advice: retryAdvice(status, headers),
    };
    return this.#secrets?.redaction.response(response) ?? response;
  }

  #settle(): void {
    this.#settled = true;
    clearTimeout(this.#overall);
    this.#disarm();
    this.#hooks.signal.removeEventListener('abort', this);
    this.#context.onSettled(this);
  }

  #arm(limit: Limit): void {
    this.#disarm();
    const delay = this.#request[limit];
    if (delay !== undefined) this.#step = startTimer(this, limit, delay);
  }

  #disarm(): void {
    clearTimeout(this.#step);
    this.#step = undefined;
  }

  get #phase(): Phase {
    if (this.#sent) return 'sent';
    return this.#hop ? 'connect' : 'prepare';
  }

  get #label(): string {
    const { method, url } = this.#current ?? this.#request;
    return `${method} ${redactUrl(String(url))}`;
  }
}

export function transportClosed(phase: Phase): RequestError {
  return new RequestError('ConnectionError', 'transport closed', { phase, transient: true });
}

const NO_BODY = { body: null, bodyEncoding: 'utf8' } as const;

function startTimer(owner: Try, limit: Limit, delay: number): NodeJS.Timeout {
  return setTimeout(expire, Math.min(delay, MAX_TIMER), owner, limit);
}

function expire(owner: Try, limit: Limit): void {
  owner.expire(limit);
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
