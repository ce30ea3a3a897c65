import { setTimeout as delay } from 'node:timers/promises';
import { Hono, type Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** ms */
const MAX_DELAY = 10 * 60_000;

/**
 * An API as slow, as wayward and as broken as its caller asks for:
 * - `/slow?delay=2000&drift=500&errors=10`: answers after 1.5 to 2.5 s, one time in ten with 500
 * - `/redirect?to=/time`
 * - `/error?status=503`
 * - `/time`
 * - `/request`: what was sent, in any method
 */
export function createTarget(): Hono {
  const app = new Hono();

  app.all('/slow', async (c) => {
    const waited = Math.round(
      drifting(number(c, 'delay', MAX_DELAY), number(c, 'drift', MAX_DELAY)),
    );
    try {
      await delay(waited, undefined, { signal: c.req.raw.signal });
    } catch {
      // The caller has gone: nobody reads this.
      return c.body(null, 499 as ContentfulStatusCode);
    }
    const fails = Math.random() * 100 < number(c, 'errors', 100);
    return c.json({ waited }, fails ? 500 : 200);
  });

  app.all('/redirect', (c) => {
    const to = c.req.query('to') ?? '/time';
    // To this server alone: a page must not send its visitors elsewhere.
    return c.redirect(/^\/(?![/\\])/.test(to) ? to : '/time');
  });

  app.all('/error', (c) => {
    const status = Math.round(number(c, 'status', 599));
    const shown = status >= 400 ? status : 500;
    return c.json({ error: `status ${shown}, as asked for` }, shown as ContentfulStatusCode);
  });

  app.all('/time', (c) => c.json({ time: new Date().toISOString() }));

  app.all('/request', async (c) =>
    c.json({
      method: c.req.method,
      path: c.req.path,
      query: c.req.query(),
      headers: c.req.header(),
      body: await c.req.text(),
    }),
  );
  return app;
}

/** A number from 0 to `most` in the query; 0 for anything else. */
function number(c: Context, name: string, most: number): number {
  const value = Number(c.req.query(name) ?? 0);
  return value >= 0 ? Math.min(value, most) : 0;
}

function drifting(middle: number, drift: number): number {
  return Math.max(0, middle + (Math.random() * 2 - 1) * drift);
}
