import { once } from 'node:events';
import http from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { ROUTES, headerPairs, json } from './target-routes.ts';

/** A request that the target server has seen. */
export interface Hit {
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingHttpHeaders;
  /** Every value of every header, in lower case, in order of arrival. */
  rawHeaders: [name: string, value: string][];
  /** UTF-8; empty until the body has arrived. */
  body: string;
  /** `performance.now()` when its headers had arrived. */
  at: number;
  /** The client went away before the answer was complete. */
  aborted: boolean;
  /** The exchange is over, whichever way. */
  closed: boolean;
}

/** How a target server answers, and what it remembers. */
export interface TargetServerOptions {
  /** Asked first; returning true means that it answers. */
  handler?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Default true. False keeps no hits or bodies, only counts: for thousands of requests. */
  record?: boolean;
  /** Default 5 s, as in Node. */
  keepAliveTimeout?: number;
}

/**
 * A real HTTP server on 127.0.0.1 with routes that behave like good and bad APIs.
 *
 * @example
 * await using target = await startTargetServer();
 * await fetch(target.url('/delay/100'));
 * target.count('/delay/100'); // 1
 */
export class TargetServer {
  /** Every request, in order of arrival; empty with `record: false`. */
  readonly hits: Hit[] = [];
  /** Requests that have arrived and are not answered yet. */
  inFlight = 0;
  /** Most requests in flight at once. */
  peak = 0;
  /** Requests since the start. */
  total = 0;
  /** Connections since the start. */
  connections = 0;
  readonly #server: http.Server;
  readonly #options: TargetServerOptions;
  readonly #counts = new Map<string, number>();
  readonly #flaky = new Map<string, number>();
  readonly #held = new Set<ServerResponse>();
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<() => void>();

  constructor(options: TargetServerOptions = {}) {
    this.#options = options;
    this.#server = http.createServer((request, response) => this.#answer(request, response));
    // Slow on purpose: no timer of the server's own may end a request.
    this.#server.requestTimeout = 0;
    this.#server.headersTimeout = 0;
    if (options.keepAliveTimeout !== undefined) {
      this.#server.keepAliveTimeout = options.keepAliveTimeout;
    }
    this.#server.on('connection', (socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        this.#changed();
      });
      this.#changed();
    });
  }

  /** Takes a free port. */
  async listen(): Promise<this> {
    this.#server.listen({ host: '127.0.0.1', port: 0, backlog: 8192 });
    await once(this.#server, 'listening');
    return this;
  }

  /** Of 127.0.0.1. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** `http://127.0.0.1:<port>`. */
  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections open now. */
  get open(): number {
    return this.#sockets.size;
  }

  /** The URL of a path, which begins with a slash. */
  url(path = '/'): string {
    return this.origin + path;
  }

  /** Requests for a path, without its query. */
  count(path: string): number {
    return this.#counts.get(path) ?? 0;
  }

  /** Requests that `/hold` keeps now. */
  get held(): number {
    return this.#held.size;
  }

  /** Answers what `/hold` keeps, with 200 and `{ "held": true }`; gives their number. */
  release(): number {
    const held = [...this.#held];
    this.#held.clear();
    for (const response of held) json(response, 200, { held: true });
    return held.length;
  }

  /** Resolves once the predicate holds; it is asked whenever something happens here. */
  async waitFor(predicate: (server: this) => boolean, timeoutMs = 45_000): Promise<void> {
    if (predicate(this)) return;
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (!predicate(this)) return;
        finish();
        resolve();
      };
      const finish = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(check);
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`target server: condition not met within ${timeoutMs} ms: ${predicate}`));
      }, timeoutMs);
      this.#waiting.add(check);
    });
  }

  /** Destroys every connection from the server's side. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Answers nothing more and closes all connections. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.dropConnections();
    await once(this.#server, 'close');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #hold(response: ServerResponse): void {
    this.#held.add(response);
    response.once('close', () => this.#held.delete(response));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const hit = this.#arrived(request, response);
    try {
      if (this.#options.handler?.(request, response)) return this.#changed();
      const { pathname, searchParams: query } = new URL(`http://target${request.url}`);
      const [name = '', ...args] = pathname.slice(1).split('/').map(decodeURIComponent);
      const route = Object.hasOwn(ROUTES, name) ? ROUTES[name] : undefined;
      if (!route) return json(response, 404, { error: `no route /${name}` });
      // Before anybody is told: who waits for a request to be in flight releases it next.
      if (name === 'hold') this.#hold(response);
      this.#changed();

      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      if (hit) hit.body = body.toString('utf8');
      this.#changed();
      await route({ failures: this.#failures, request, response, args, query, body });
    } catch (error) {
      // Also when the client went away while it was sending or reading.
      if (response.headersSent || request.destroyed) response.destroy();
      else json(response, 500, { error: String(error) });
    }
  }

  #arrived(request: IncomingMessage, response: ServerResponse): Hit | undefined {
    const [path = '/'] = (request.url ?? '/').split('?');
    this.#counts.set(path, this.count(path) + 1);
    this.total++;
    this.inFlight++;
    this.peak = Math.max(this.peak, this.inFlight);
    const hit = this.#options.record === false ? undefined : hitOf(request);
    if (hit) this.hits.push(hit);
    response.once('close', () => {
      this.inFlight--;
      if (hit) {
        hit.closed = true;
        hit.aborted = !response.writableFinished;
      }
      this.#changed();
    });
    return hit;
  }

  readonly #failures = (key: string): number => {
    const hits = this.#flaky.get(key) ?? 0;
    this.#flaky.set(key, hits + 1);
    return hits;
  };

  #changed(): void {
    for (const check of this.#waiting) check();
  }
}

/** A target server that listens. */
export async function startTargetServer(options: TargetServerOptions = {}): Promise<TargetServer> {
  return new TargetServer(options).listen();
}

function hitOf(request: IncomingMessage): Hit {
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers: request.headers,
    rawHeaders: headerPairs(request),
    body: '',
    at: performance.now(),
    aborted: false,
    closed: false,
  };
}
