import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A request as the API saw it. Each has its id over all tries. */
export interface ApiCall {
  id: string | undefined;
  mayBeResent: boolean;
  /** Its `User-Agent`. */
  by: string | undefined;
  /** `performance.now()` of its arrival, and of its end, whichever way. */
  at: number;
  endedAt: number | undefined;
  /** Of its answer, if it got a whole one. */
  status: number | undefined;
}

export interface SlowApi extends AsyncDisposable {
  readonly origin: string;
  /** In order of arrival. */
  readonly calls: readonly ApiCall[];
  /** Calls that wait for their answer, and the most there ever were. */
  readonly inFlight: number;
  readonly peak: number;
}

/**
 * An API as slow as a language model or a report generator, on a free port of this machine.
 * `?seconds=2-5` makes it answer after 2 to 5 seconds.
 */
export async function startSlowApi(): Promise<SlowApi> {
  let inFlight = 0;
  let peak = 0;
  const seen = new Set<string>();
  const calls: ApiCall[] = [];

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://slow-api');
    const [, route = '', argument] = url.pathname.split('/');
    const { 'x-request-id': id } = request.headers;
    await delay(duration(url.searchParams.get('seconds') ?? '0'));
    switch (route) {
      case 'status':
        return send(response, Number(argument), { error: `status ${argument}, as asked for` });
      case 'reset':
        return void request.socket.resetAndDestroy();
      case 'large':
        return void response.end('x'.repeat(Number(url.searchParams.get('bytes'))));
      case 'busy-once': {
        // Each request keeps its id over all tries.
        const isNew = typeof id === 'string' && !seen.has(id);
        if (isNew) seen.add(id);
        return isNew ? send(response, 503, { error: 'busy' }) : send(response, 200, { at: 'last' });
      }
      default:
        return send(response, 200, { route, value: 42 });
    }
  };

  const server = createServer((request, response) => {
    peak = Math.max(peak, ++inFlight);
    const call = callOf(request);
    calls.push(call);
    response.once('close', () => {
      inFlight--;
      call.endedAt = performance.now();
      if (response.writableFinished) call.status = response.statusCode;
    });
    void answer(request, response);
  });
  server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 });
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    get inFlight() {
      return inFlight;
    },
    get peak() {
      return peak;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function callOf({ headers, method = '' }: IncomingMessage): ApiCall {
  return {
    id: headers['x-request-id']?.toString(),
    mayBeResent: !/^(POST|PATCH)$/.test(method) || 'idempotency-key' in headers,
    by: headers['user-agent'],
    at: performance.now(),
    endedAt: undefined,
    status: undefined,
  };
}

/** `3`, or anything from `2-5`. */
function duration(seconds: string): number {
  const [least = 0, most = least] = seconds.split('-').map(Number);
  return (least + Math.random() * (most - least)) * 1000;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
