import { setTimeout as delay } from 'node:timers/promises';
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';

/** ms between two updates of a page, unless it says otherwise. */
const PACE = 2_000;

/** Bytes a second that one open page may cost; what is larger comes less often. */
const BUDGET = 30_000;

/** ms without a word after which a proxy may take a connection for dead; half of what is usual. */
const SILENCE = 15_000;

/** A page's regions by id, as HTML. */
export type Drawn = ReadonlyMap<string, string>;

/** Sends the regions that have changed, as events named by their id, until nobody listens. */
export function streamRegions(
  context: Context,
  draw: () => Promise<Drawn>,
  { pace = PACE, silence = SILENCE }: { pace?: number; silence?: number } = {},
): Response {
  // Nobody would read it, nor end it.
  if (context.req.method === 'HEAD') return context.body(null);
  return streamSSE(context, async (stream) => {
    const closed = new AbortController();
    stream.onAbort(() => closed.abort());
    const sent = new Map<string, string>();
    let spokenAt = performance.now();
    while (!stream.aborted) {
      let bytes = 0;
      for (const [id, html] of await draw()) {
        if (sent.get(id) === html) continue;
        sent.set(id, html);
        bytes += Buffer.byteLength(html);
        await stream.writeSSE({ event: 'region', data: `${id}\n${html}` });
      }
      if (bytes === 0 && performance.now() - spokenAt >= silence) {
        await stream.write(': still here\n\n');
        spokenAt = performance.now();
      } else if (bytes > 0) {
        spokenAt = performance.now();
      }
      const pause = Math.max(pace, (bytes / BUDGET) * 1_000);
      await delay(pause, undefined, { signal: closed.signal }).catch(() => undefined);
    }
  });
}
