import http2 from 'node:http2';
import { createSecureContext } from 'node:tls';
import { Agent, request } from 'undici';
import { resolveOptions } from '../../src/config/options.ts';
import { resolveRequest } from '../../src/config/request-spec.ts';
import { createTransport } from '../../src/http/transport.ts';
import { serve } from '../peer.ts';

export interface TlsCalls {
  url: string;
  certificate: string;
  count: number;
}

const BODY = JSON.stringify({ order: 'x'.repeat(200) });

/** Each sends `count` POSTs at once; resolves with the number answered by 200. */
export const tlsClients = {
  'Patient HTTP, HTTP/1.1': (calls: TlsCalls) => viaTransport(calls, 'http1'),
  'Patient HTTP, HTTP/2': (calls: TlsCalls) => viaTransport(calls, 'http2'),

  async 'bare undici, HTTP/1.1'({ url, certificate, count }: TlsCalls): Promise<number> {
    const dispatcher = new Agent({
      ...{ headersTimeout: 0, bodyTimeout: 0, allowH2: false },
      connect: { ca: certificate, timeout: 0 },
    });
    const post = async (): Promise<number> => {
      const { statusCode, body } = await request(url, { dispatcher, method: 'POST', body: BODY });
      await body.text();
      return statusCode;
    };
    const answered = await all(count, post);
    await dispatcher.close();
    return answered;
  },

  /** GETs, because it sends one POST at a time over a session. */
  async 'bare undici, HTTP/2'({ url, certificate, count }: TlsCalls): Promise<number> {
    const dispatcher = new Agent({
      ...{ headersTimeout: 0, bodyTimeout: 0, allowH2: true },
      ...{ connections: 1, maxConcurrentStreams: 10_000, pipelining: 10_000 },
      connect: { ca: certificate, timeout: 0 },
    });
    const get = async (): Promise<number> => {
      const { statusCode, body } = await request(url, { dispatcher });
      await body.text();
      return statusCode;
    };
    const answered = await all(count, get);
    await dispatcher.close();
    return answered;
  },

  async 'bare node:http2'({ url, certificate, count }: TlsCalls): Promise<number> {
    const session = http2.connect(url, { ca: certificate, maxSessionMemory: 1_000 });
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    const post = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ':method': 'POST', ':path': '/' });
        let status = 0;
        stream
          .on('response', (headers) => (status = Number(headers[':status'])))
          .on('data', () => {})
          .on('end', () => resolve(status))
          .on('error', reject)
          .end(BODY);
      });
    const answered = await all(count, post);
    session.close();
    return answered;
  },
};

export type TlsClient = keyof typeof tlsClients;

async function viaTransport(
  { url, certificate, count }: TlsCalls,
  protocol: 'http1' | 'http2',
): Promise<number> {
  const options = resolveOptions({ allowPrivateAddresses: true, connectTimeout: '5m' });
  const secureContext = createSecureContext({ ca: certificate });
  const transport = createTransport({ ...options, secureContext });
  const answered = await all(count, async (i) => {
    // Of each its own, as it comes out of an activity's arguments.
    const spec = { url, method: 'POST', body: BODY, protocol, timeout: '10m' };
    const resolved = resolveRequest(spec, { requestId: `bench/${i}`, defaults: options });
    const { signal } = new AbortController();
    const { status } = await transport.send(resolved, { signal, onSent() {}, onBytes() {} });
    return status;
  });
  await transport.close();
  return answered;
}

async function all(count: number, post: (index: number) => Promise<number>): Promise<number> {
  const statuses = await Promise.all(Array.from({ length: count }, (_, i) => post(i)));
  return statuses.filter((status) => status === 200).length;
}

serve(tlsClients);
