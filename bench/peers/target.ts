import type { IncomingMessage, ServerResponse } from 'node:http';
import { TargetServer } from '../../src/testing/target-server.ts';
import { serve } from '../peer.ts';

export interface TargetStats {
  inFlight: number;
  peak: number;
  total: number;
  open: number;
  /** Requests by user agent. */
  agents: Record<string, number>;
}

/** `/gate`: answered `holdMs` after the last of `count` has arrived. `/sized/:bytes/:ms` needs none. */
interface Gate {
  count: number;
  holdMs: number;
  waiting: ServerResponse[];
}

let gate: Gate | undefined;
let agents: Record<string, number> = {};
/** `/seen/:key/:ms`: answered so late. When each arrived, epoch ms, and the most at once. */
interface Seen {
  at: number[];
  inFlight: number;
  peak: number;
}

const seen = new Map<string, Seen>();

/** `/held/:id`: never answered. When its connection closed, on the system's monotonic clock. */
const held = new Map<string, { closed: Promise<number> }>();

// Short, so that warm-up's connections are gone before the baseline; not so short that clients,
// which leave a second's margin, would keep none.
const server = new TargetServer({ record: false, keepAliveTimeout: 3_000, handler });

export const target = {
  async start(): Promise<string> {
    await server.listen();
    return server.origin;
  },
  reset(): void {
    server.peak = server.inFlight;
    server.total = 0;
    agents = {};
    held.clear();
    seen.clear();
  },
  stats(): TargetStats {
    const { inFlight, peak, total, open } = server;
    return { inFlight, peak, total, open, agents };
  },
  openGate({ count, holdMs }: { count: number; holdMs: number }): void {
    gate = { count, holdMs, waiting: [] };
  },
  waitForInFlight({ count, timeoutMs }: { count: number; timeoutMs: number }): Promise<void> {
    return server.waitFor(({ inFlight }) => inFlight === count, timeoutMs);
  },
  waitForNoConnections(timeoutMs: number): Promise<void> {
    return server.waitFor(({ open }) => open === 0, timeoutMs);
  },
  /** What has come to `/seen/:key`. */
  seen: (key: string): Seen => seen.get(key) ?? { at: [], inFlight: 0, peak: 0 },
  heldIds(): string[] {
    return [...held.keys()];
  },
  /** ns of `process.hrtime` */
  closed(id: string): Promise<number> | undefined {
    return held.get(id)?.closed;
  },
};

function handler(request: IncomingMessage, response: ServerResponse): boolean {
  const agent = request.headers['user-agent'] ?? '';
  agents[agent] = (agents[agent] ?? 0) + 1;
  const [, route, id = '', ms] = (request.url ?? '').split('/');
  if (route === 'gate' && gate) {
    pass(gate, response);
    return true;
  }
  if (route === 'seen') {
    see(id, response);
    setTimeout(() => response.end('ok'), Number(ms));
    return true;
  }
  if (route === 'sized') {
    setTimeout(() => response.end(Buffer.alloc(Number(id), 'x')), Number(ms));
    return true;
  }
  if (route === 'held') {
    held.set(id, {
      closed: new Promise((resolve) => {
        response.once('close', () => resolve(Number(process.hrtime.bigint())));
      }),
    });
    return true;
  }
  return false;
}

function see(key: string, response: ServerResponse): void {
  const at = performance.timeOrigin + performance.now();
  const of = seen.get(key) ?? { at: [], inFlight: 0, peak: 0 };
  seen.set(key, of);
  of.at.push(at);
  of.peak = Math.max(of.peak, ++of.inFlight);
  response.once('close', () => of.inFlight--);
}

function pass({ count, holdMs, waiting }: Gate, response: ServerResponse): void {
  waiting.push(response);
  if (waiting.length < count) return;
  setTimeout(() => {
    for (const each of waiting) {
      each.writeHead(200, { 'content-type': 'application/json' }).end('{"answer":42}');
    }
  }, holdMs);
}

serve(target);
