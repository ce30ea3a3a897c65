import type { Connector } from './connector.ts';
import type { Destination } from './destination.ts';
import { Origin } from './origin.ts';
import type { Idle, OriginContext, Waiter } from './origin.ts';

export interface ConnectionsOptions {
  /** How long an unused connection is kept, in ms. */
  idleConnectionTimeout: number;
  /** How many are kept, all origins together. */
  maxIdleConnections: number;
}

/**
 * ms for which an unused connection may be one too many: answers come in bursts, and the requests
 * that follow want as many connections again.
 */
const SURPLUS = 1_000;

/**
 * Connections by destination. Its own pool rather than undici's Agent, because a request here must
 * know its socket: whether it was used before, how long it idled, and which connecting one to
 * destroy on abort; and because undici's HTTP/2 sends one POST at a time. Taking the connection
 * used last is O(1), and lets the surplus idle out.
 */
export class Connections {
  readonly #origins = new Map<string, Origin>();
  /** Since when each has idled; the one that has for longest is the first. */
  readonly #idle = new Map<Idle, number>();
  readonly #maxIdle: number;
  readonly #context: OriginContext;
  #trimming: NodeJS.Timeout | undefined;

  constructor(connector: Connector, options: ConnectionsOptions) {
    const idleTimeout = Math.max(1, options.idleConnectionTimeout);
    this.#maxIdle = options.maxIdleConnections;
    this.#context = {
      connector,
      idleTimeout,
      clientOptions: {
        headersTimeout: 0,
        bodyTimeout: 0,
        keepAliveTimeout: idleTimeout,
        // A server's `Keep-Alive: timeout=…` may shorten the time but not lengthen it.
        keepAliveMaxTimeout: idleTimeout,
      },
      onIdle: (connection) => {
        this.#idle.set(connection, performance.now());
        this.#trimLater();
      },
      onBusy: (connection) => this.#idle.delete(connection),
      onEmpty: (origin) => {
        const { key } = origin.destination;
        // Its last connection may close after it has been forgotten and made anew.
        if (this.#origins.get(key) === origin) this.#origins.delete(key);
      },
    };
  }

  take(destination: Destination, maxIdle: number, waiter: Waiter): void {
    let origin = this.#origins.get(destination.key);
    if (!origin) {
      origin = new Origin(this.#context, destination);
      this.#origins.set(destination.key, origin);
    }
    origin.take(waiter, maxIdle);
  }

  /** When no request is in flight any more. */
  async close(): Promise<void> {
    clearTimeout(this.#trimming);
    await Promise.all([...this.#origins.values()].map((origin) => origin.close()));
  }

  #trimLater(): void {
    if (this.#idle.size <= this.#maxIdle) return;
    this.#trimming ??= setTimeout(() => {
      this.#trimming = undefined;
      this.#trim();
      this.#trimLater();
    }, SURPLUS);
  }

  #trim(): void {
    const before = performance.now() - SURPLUS;
    for (const [oldest, since] of this.#idle) {
      if (this.#idle.size <= this.#maxIdle || since > before) return;
      this.#idle.delete(oldest);
      void oldest.close();
    }
  }
}
