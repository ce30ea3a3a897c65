import type { IncomingMessage, ServerResponse } from 'node:http';
import zlib from 'node:zlib';

export type Route = (context: RouteContext) => void | Promise<void>;

export interface RouteContext {
  /** How often `/flaky` has failed for this key; asking counts. */
  failures: (key: string) => number;
  request: IncomingMessage;
  response: ServerResponse;
  /** Path segments after the route's name, decoded. */
  args: string[];
  query: URLSearchParams;
  body: Buffer;
}

/** What the target server answers, by the first segment of the path. */
export const ROUTES: Record<string, Route> = {
  /** `/status/:code?body=…` */
  status({ response, args, query }) {
    response.writeHead(Number(args[0] ?? 200), { 'content-type': 'text/plain' });
    response.end(query.get('body') ?? '');
  },

  /** `/delay/:ms` */
  async delay({ response, args }) {
    const ms = Number(args[0]);
    await pause(ms, response);
    json(response, 200, { delayed: ms });
  },

  /** `/drip?count&interval`: so many pieces, so many ms apart. */
  async drip({ response, query }) {
    const count = Number(query.get('count') ?? 5);
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.flushHeaders();
    for (let i = 0; i < count; i++) {
      await pause(Number(query.get('interval') ?? 100), response);
      response.write(`drop ${i}\n`);
    }
    response.end();
  },

  /** `/bytes/:n?chunked=1` */
  bytes({ response, args, query }) {
    const body = Buffer.alloc(Number(args[0]), 'x');
    response.writeHead(200, {
      'content-type': 'text/plain',
      ...(query.has('chunked') ? {} : { 'content-length': body.length }),
    });
    response.end(body);
  },

  /** The request, as JSON. */
  echo({ request, response, body }) {
    const headers: Record<string, string[]> = {};
    for (const [name, value] of headerPairs(request)) (headers[name] ??= []).push(value);
    json(response, 200, {
      method: request.method,
      url: request.url,
      headers,
      body: body.toString('utf8'),
      bodyBase64: body.toString('base64'),
    });
  },

  /** `/redirect/:n`: n redirects, then `/echo`. */
  redirect({ response, args }) {
    const left = Number(args[0]);
    response.writeHead(302, { location: left > 1 ? `/redirect/${left - 1}` : '/echo' }).end();
  },

  /** `/redirect-to?url=…&status=302` */
  'redirect-to'({ response, query }) {
    const status = Number(query.get('status') ?? 302);
    response.writeHead(status, { location: query.get('url') ?? '' }).end();
  },

  gzip: compressed('gzip', zlib.gzipSync),
  deflate: compressed('deflate', zlib.deflateSync),
  br: compressed('br', zlib.brotliCompressSync),

  /** Reads the request and breaks the connection. */
  reset({ request }) {
    request.socket.resetAndDestroy();
  },

  /** Promises 100 bytes, sends 50 and closes. */
  half({ request, response }) {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 100 });
    response.write('x'.repeat(50), () => request.socket.end());
  },

  /** The server holds the response until it is told to release it. */
  hold() {},

  /** `/flaky/:key/:failures/:status?retryAfter=…`: fails that often, then answers 200. */
  flaky({ failures: asked, response, args, query }) {
    const [key = '', failures, status] = args;
    const hit = asked(key);
    if (hit >= Number(failures)) return json(response, 200, { key, failures: hit });
    const retryAfter = query.get('retryAfter');
    if (retryAfter !== null) response.setHeader('retry-after', retryAfter);
    json(response, Number(status ?? 503), { key, failed: hit + 1 });
  },
};

function compressed(encoding: string, compress: (data: string) => Buffer): Route {
  return ({ response }) => {
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-encoding': encoding,
    });
    response.end(compress(JSON.stringify({ compressed: encoding })));
  };
}

export function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

export function headerPairs({ rawHeaders }: IncomingMessage): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    pairs.push([rawHeaders[i]!.toLowerCase(), rawHeaders[i + 1]!]);
  }
  return pairs;
}

/** Ends with the connection: nobody waits for an answer then. */
function pause(ms: number, response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      response.off('close', gone);
      resolve();
    }, ms);
    const gone = (): void => {
      clearTimeout(timer);
      reject(new Error('client gone'));
    };
    response.once('close', gone);
  });
}
