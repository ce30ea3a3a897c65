import { once } from 'node:events';
import http2 from 'node:http2';
import type {
  Http2SecureServer,
  Http2Server,
  IncomingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { waitFor } from '../support/wait-for.ts';
import { tlsFile } from './support.ts';

/** A request that the target has seen. */
export interface Http2Hit {
  stream: ServerHttp2Stream;
  headers: IncomingHttpHeaders;
  body: string;
}

export type Http2Answer = (hit: Http2Hit, index: number) => void;

const HELD: Http2Answer = () => {};

/** Answers with 200 and `ok`. */
export const OK2: Http2Answer = ({ stream }) => {
  stream.respond({ ':status': 200 });
  stream.end('ok');
};

/** A real HTTP/2 server with a certificate for localhost by the tests' authority. */
export class Http2Target {
  readonly sessions: ServerHttp2Session[] = [];
  readonly sockets: Socket[] = [];
  readonly hits: Http2Hit[] = [];
  readonly #server: Http2SecureServer | Http2Server;
  readonly #scheme: string;
  answer: Http2Answer = HELD;

  private constructor(options: http2.SecureServerOptions | 'cleartext') {
    const key = tlsFile('server-key.pem');
    const cert = tlsFile('server.pem');
    this.#server =
      options === 'cleartext'
        ? http2.createServer()
        : http2.createSecureServer({ key, cert, ...options });
    this.#scheme = options === 'cleartext' ? 'http' : 'https';
    this.#server.on(
      options === 'cleartext' ? 'connection' : 'secureConnection',
      (socket: Socket) => {
        socket.on('error', () => {});
        this.sockets.push(socket);
      },
    );
    this.#server.on('session', (session) => {
      session.on('error', () => {});
      this.sessions.push(session);
    });
    this.#server.on('stream', (stream, headers) => {
      const hit = { stream, headers, body: '' };
      const index = this.hits.push(hit) - 1;
      stream.on('error', () => {});
      stream.on('data', (chunk: Buffer) => (hit.body += chunk.toString()));
      this.answer(hit, index);
    });
  }

  static async start(
    answer: Http2Answer = HELD,
    options: http2.SecureServerOptions | 'cleartext' = {},
  ): Promise<Http2Target> {
    const target = new Http2Target(options);
    target.answer = answer;
    target.#server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 });
    await once(target.#server, 'listening');
    return target;
  }

  get server(): Http2SecureServer | Http2Server {
    return this.#server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(path = '/'): string {
    return `${this.#scheme}://localhost:${this.port}${path}`;
  }

  /** Until so many requests have arrived. */
  async seen(count: number): Promise<void> {
    await waitFor(() => this.hits.length >= count, {
      message: () => `${this.hits.length} of ${count} requests`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
    for (const session of this.sessions) session.destroy();
    await once(this.#server, 'close');
  }
}

/** Of a POST. */
export const body = { kind: 'text', value: 'order' } as const;
export const unsent = { type: 'ConnectionError', phase: 'connect', transient: true };
export const lost = { type: 'ConnectionError', phase: 'sent', transient: true };

/** Answers what is held. */
export function ok(hits: Http2Hit[]): void {
  for (const { stream } of hits) {
    stream.respond({ ':status': 200 });
    stream.end('ok');
  }
}
