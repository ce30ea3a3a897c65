import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import type { Http2ServerResponse } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { serve } from '../peer.ts';

/** More than any client opens: what is compared is one session. */
const STREAMS = 10_000;

const held: Http2ServerResponse[] = [];
let arrived: (() => void) | undefined;
let sessions = 0;

export const tlsTarget = {
  /** Speaks HTTP/1.1 and HTTP/2, and holds every request until {@link tlsTarget.release}. */
  async start(): Promise<{ url: string; certificate: string }> {
    const { key, certificate } = selfSigned();
    const server = http2.createSecureServer(
      {
        ...{ key, cert: certificate, allowHTTP1: true },
        settings: { maxConcurrentStreams: STREAMS },
      },
      (request, response) => {
        request.resume();
        held.push(response);
        arrived?.();
      },
    );
    server.on('session', () => sessions++);
    server.listen({ port: 0, host: '127.0.0.1', backlog: 8192 });
    await once(server, 'listening');
    return { url: `https://localhost:${(server.address() as AddressInfo).port}/`, certificate };
  },
  async waitFor(count: number): Promise<{ sessions: number }> {
    while (held.length < count) await new Promise<void>((resolve) => (arrived = resolve));
    return { sessions };
  },
  release(): void {
    for (const response of held.splice(0)) response.end('ok');
    sessions = 0;
  },
};

function selfSigned(): { key: Buffer; certificate: string } {
  const directory = mkdtempSync(path.join(tmpdir(), 'patient-bench-'));
  try {
    const [key, certificate] = ['key.pem', 'cert.pem'].map((name) => path.join(directory, name));
    execFileSync('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '1'],
      ...['-keyout', key!, '-out', certificate!],
    ]);
    return { key: readFileSync(key!), certificate: readFileSync(certificate!, 'utf8') };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

serve(tlsTarget);
