import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { RequestSpec } from '../../src/index.ts';
import { startTestEnvironment } from '../../src/testing/environment.ts';
import { startOutage } from '../support/outage.ts';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';
import { startCaller, tally } from './caller.ts';
import { FULL } from './size.ts';

/** Of each method. */
const COUNT = FULL ? 500 : 60;
/** 1,000 requests that heartbeat more often are more than a development server on a file can take. */
const HEARTBEAT_TIMEOUT = FULL ? 20_000 : 6_000;
const AWAY = 1.5 * HEARTBEAT_TIMEOUT;
const BACK = 60_000;

vi.setConfig({ testTimeout: 300_000 });

/** With no more places than requests, the next attempts need places too. */
const PLACES = FULL ? [2 * COUNT, 4 * COUNT] : [2 * COUNT];

test.each(
  (['memory', 'redis'] as const).flatMap((liveness) =>
    PLACES.map((places) => ({ liveness, places })),
  ),
)(
  `Temporal is away for longer than the heartbeat timeout: ${COUNT} POSTs are answered meanwhile, ` +
    `${COUNT} GETs are in flight; $liveness, $places places`,
  async ({ liveness, places }) => {
    const posts: ServerResponse[] = [];
    await using redis = liveness === 'redis' ? await startRedis() : undefined;
    await using temporal = await startOutage();
    await using env = await startTestEnvironment({
      address: temporal.address,
      taskQueue: `away-${randomUUID()}`,
      maxConnections: places,
      ...(redis && { redisUrl: redis.url, leaseTtl: 2_000 }),
      target: {
        record: false,
        handler: ({ method }, response) => method === 'POST' && posts.push(response) > 0,
      },
    });
    const { target, worker, taskQueue } = env;
    await using caller = await startCaller({ temporalAddress: temporal.address, taskQueue });
    const outcomes = await caller.call(
      Array.from({ length: 2 * COUNT }, (_, i): RequestSpec => {
        const method = i % 2 === 0 ? 'GET' : 'POST';
        return { method, url: target.url(`/hold/${i}`), heartbeatTimeout: HEARTBEAT_TIMEOUT };
      }),
    );
    await target.waitFor(({ inFlight }) => inFlight === 2 * COUNT, BACK);

    await temporal.begin();
    for (const response of posts) response.end('paid');
    await waitFor(() => {
      return (
        [...worker.processor.tasks].filter(({ phase }) => phase === 'delivering').length === COUNT
      );
    });
    await delay(AWAY);
    await temporal.end();
    const back = performance.now();
    // The POSTs' attempts are over: each is delivered by the next one, without a second send.
    await waitFor(() => worker.processor.total === COUNT, { timeout: BACK });
    const delivered = performance.now() - back;
    target.release();
    expect(tally(await outcomes())).toEqual({ 200: 2 * COUNT });
    expect(target.total).toBe(2 * COUNT);
    await waitFor(() => worker.processor.total === 0);
    console.log(
      `Temporal away ${AWAY} ms, ${liveness}, ${places} places: ${COUNT} kept outcomes ` +
        `delivered ${delivered.toFixed(0)} ms after its return, ${target.total} hits`,
    );
  },
);
