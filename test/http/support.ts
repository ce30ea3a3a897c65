import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { RequestListener, Server } from 'node:http';
import net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { createTransport } from '../../src/http/transport.ts';
import type { TransportOptions } from '../../src/http/transport.ts';
import type { SendHooks, Transport, TransportResponse } from '../../src/processor/transport.ts';
import { RequestError } from '../../src/shared/errors.ts';
import { isLarge } from '../../src/shared/held-response.ts';
import type { ResolvedRequest } from '../../src/shared/resolved-request.ts';

/** Options of the address guard that let nothing private through. */
export const STRICT = {
  allowPrivateAddresses: false,
  allowAddresses: [],
  allowHosts: [],
  denyHosts: [],
};
export const BLOCKED = { type: 'BlockedAddressError', phase: 'connect', transient: false };

export const defaults: Omit<ResolvedRequest, 'url'> = {
  requestId: 'request-1',
  method: 'GET',
  headers: {},
  params: {},
  secrets: undefined,
  preprocessors: [],
  body: undefined,
  timeout: 20_000,
  connectTimeout: 10_000,
  firstByteTimeout: undefined,
  idleTimeout: undefined,
  protocol: 'auto',
  proxyUrl: undefined,
  maxRedirects: 5,
  allowDowngrade: false,
  maxResponseSize: 1024 * 1024,
  raiseErrorResponses: false,
  retry: {
    maximumAttempts: 3,
    statuses: [],
    initialInterval: 1000,
    backoffCoefficient: 2,
    maximumInterval: 60_000,
    maxRetryAfter: 600_000,
  },
  resendable: true,
  idempotencyKey: undefined,
  deadline: undefined,
  callbackArgs: null,
  flow: undefined,
};

export type TestRequest = Partial<ResolvedRequest> & { url: string };

export const tlsPath = (name: string): string =>
  fileURLToPath(new URL(`tls/${name}`, import.meta.url));
export const tlsFile = (name: string): Buffer => readFileSync(tlsPath(name));

/** Trusts the tests' own authority. */
const TRUSTING = createSecureContext({ ca: tlsFile('ca.pem') });

/** With its body as a string, however large. */
export type Received = Omit<TransportResponse, 'body'> & { body: string | null };

/** A transport that closes itself, with requests in short form. */
export class Sender {
  readonly transport: Transport;

  constructor(options: Partial<TransportOptions> = {}) {
    this.transport = createTransport({
      userAgent: 'patient-http/test',
      idleConnectionTimeout: 30_000,
      maxIdleConnections: 1000,
      noProxy: [],
      secureContext: TRUSTING,
      allowPrivateAddresses: true,
      allowAddresses: [],
      allowHosts: [],
      denyHosts: [],
      ...options,
    });
  }

  async send(request: TestRequest, hooks: Partial<SendHooks> = {}): Promise<Received> {
    const { body, ...rest } = await this.transport.send(
      { ...defaults, ...request },
      { signal: new AbortController().signal, onSent() {}, onBytes() {}, ...hooks },
    );
    return { ...rest, body: isLarge(body) ? body.text() : body };
  }

  get(url: string, request: Partial<ResolvedRequest> = {}): Promise<Received> {
    return this.send({ ...request, url });
  }

  /** The RequestError that the request ends with. */
  async fail(request: TestRequest, hooks: Partial<SendHooks> = {}): Promise<RequestError> {
    const error = await this.send(request, hooks).then(
      ({ status }) => new Error(`expected a failure, got status ${status}`),
      (reason: unknown) => reason,
    );
    if (error instanceof RequestError) return error;
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport.close({ force: true });
  }
}

export const POST = { method: 'POST', resendable: false } as const;

/** A TCP server whose every connection is handled by the test. */
export class RawServer {
  readonly sockets: Socket[] = [];
  /** What each connection has sent, in order of connecting. */
  readonly received: string[] = [];
  readonly #server: net.Server;

  constructor(onConnection: (socket: Socket, index: number) => void) {
    this.#server = net.createServer((socket) => {
      const index = this.sockets.push(socket) - 1;
      this.received[index] = '';
      socket.on('data', (chunk) => (this.received[index] += chunk.toString('latin1')));
      socket.on('error', () => {});
      onConnection(socket, index);
    });
  }

  static async start(
    onConnection: (socket: Socket, index: number) => void = () => {},
  ): Promise<RawServer> {
    const server = new RawServer(onConnection);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  url(path = '/'): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}

/** Answers each request on a connection with these bytes, once its headers are complete. */
export function answering(...answers: string[]): (socket: Socket) => void {
  return (socket) => {
    let seen = '';
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1');
      if (!seen.includes('\r\n\r\n')) return;
      seen = '';
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer !== undefined) socket.write(Buffer.from(answer, 'latin1'));
    });
  };
}

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/**
 * An HTTPS server with a certificate for localhost: one that nobody trusts, or one by the tests'
 * authority (`server`, and `elsewhere` for another name).
 */
export async function startTlsServer(
  listener: RequestListener,
  certificate?: 'server' | 'elsewhere',
  options: https.ServerOptions = {},
): Promise<AsyncDisposable & { server: Server; url: (path?: string) => string }> {
  const [key, cert] = certificate
    ? [`${certificate}-key.pem`, `${certificate}.pem`]
    : ['key.pem', 'cert.pem'];
  const files = { key: tlsFile(key), cert: tlsFile(cert) };
  const server = https.createServer({ ...files, ...options }, listener);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    server,
    url: (path = '/') => `https://127.0.0.1:${port}${path}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** A listener that accepts nothing and whose queue is full: Linux drops what else arrives. */
export async function startBlackHole(): Promise<AsyncDisposable & { url: string }> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 });
     server.once('listening', () => {
       parentPort.postMessage(server.address().port);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true },
  );
  const [port] = (await once(worker, 'message')) as [number];
  const fill = [net.connect(port, '127.0.0.1'), net.connect(port, '127.0.0.1')];
  await Promise.all(fill.map((socket) => once(socket, 'connect')));
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      for (const socket of fill) socket.destroy();
      await worker.terminate();
    },
  };
}
