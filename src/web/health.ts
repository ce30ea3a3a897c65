import { Hono } from 'hono';

/** What the probes look at; read anew for each of them. */
export interface HealthSource {
  /** Of the processor. */
  readonly state: string;
  /** Requests on the wire. */
  readonly inFlight: number;
  /** Whether it takes requests: it runs, and polls Temporal or would if it had a place. */
  readonly ready: boolean;
  /** Whether a Temporal worker of this process has failed. */
  readonly failed: boolean;
  /** Undefined without Redis. */
  readonly redisUsable: boolean | undefined;
}

const FRESH = { 'cache-control': 'no-store' };

/**
 * `/healthz`: the process works; a 503, or no answer at all, is a reason to restart it. `/readyz`:
 * it takes requests, which it does not while it starts and from the beginning of its drain on.
 * Redis away is no reason for either: without it requests go on, and crashes are found later.
 */
export function healthRoutes(source: HealthSource): Hono {
  const app = new Hono();
  app.get('/healthz', (context) => {
    const healthy = !source.failed;
    return context.json({ healthy, ...describe(source) }, healthy ? 200 : 503, FRESH);
  });
  app.get('/readyz', (context) => {
    const { ready } = source;
    return context.json({ ready, ...describe(source) }, ready ? 200 : 503, FRESH);
  });
  return app;
}

/** `/healthz` of a process that only shows what others do: it answers, and says nothing of them. */
export function livenessRoute(): Hono {
  return new Hono().get('/healthz', (context) => context.json({ healthy: true }, 200, FRESH));
}

function describe({ state, inFlight, redisUsable }: HealthSource): Record<string, unknown> {
  return { state, inFlight, ...(redisUsable !== undefined && { redisUsable }) };
}
