import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';

export interface ListenAddress {
  host: string;
  /** 0: any free one. */
  port: number;
}

/** ms for what is being answered when the server closes; a stream would never end by itself. */
const CLOSE_TIMEOUT = 1_000;

/** An app behind an HTTP server of its own. */
export class WebServer {
  readonly #server: Server;
  readonly #address: ListenAddress;

  constructor(app: Hono, address: ListenAddress) {
    // The process is a user's: its global Request and Response stay what they are.
    const options = { fetch: app.fetch, overrideGlobalObjects: false };
    this.#server = createAdaptorServer(options) as Server;
    this.#address = address;
  }

  /** @throws Error that names the address when it cannot be listened on */
  async start(): Promise<void> {
    const { host, port } = this.#address;
    try {
      // A burst of thousands is what this package is for.
      await once(this.#server.listen({ port, host, backlog: 4096 }), 'listening');
    } catch (cause) {
      const { message } = cause as Error;
      throw new Error(`listen: cannot listen on ${authority(host, port)}: ${message}`, { cause });
    }
  }

  /** Where it really listens; undefined while it does not. */
  get url(): string | undefined {
    const bound = this.#server.address() as AddressInfo | null;
    return bound ? `http://${authority(this.#address.host, bound.port)}` : undefined;
  }

  /** Idempotent; a no-op before the start. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    const timer = setTimeout(() => this.#server.closeAllConnections(), CLOSE_TIMEOUT);
    await closed.finally(() => clearTimeout(timer));
  }
}

function authority(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
