import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startFleet } from '../redis/fleet.ts';
import { FULL } from './size.ts';

const CANCELS = FULL ? 200 : 15;
/** At the target, over both processes. */
const PLACES = FULL ? 200 : 20;
const PAUSE = 20;
/** The answer to a heartbeat would carry it too, a minute later. */
const SOON = 20_000;

test.each([
  { state: 'with nothing else in flight', atOnce: 1 },
  { state: 'with every process full and as many waiting', atOnce: PLACES },
])(
  'a cancel reaches the socket in another process $state',
  { timeout: 300_000 },
  async ({ state, atOnce }) => {
    await using fleet = await startFleet({
      env: { PATIENT_MAX_CONNECTIONS: String(Math.max(atOnce / 2, 1)) },
    });
    const { target, patient } = fleet;
    await Promise.all([fleet.worker(), fleet.worker()]);
    const start = async (): Promise<void> => {
      const requestId = randomUUID();
      await patient.submit.get(target.url(`/hold/${requestId}`), { requestId });
    };
    if (atOnce > 1) await Promise.all(Array.from({ length: atOnce + CANCELS }, start));

    const taken: number[] = [];
    const cancelled = new Set<string>();
    while (taken.length < CANCELS) {
      if (atOnce === 1) await start();
      await target.waitFor(({ inFlight }) => inFlight === atOnce, 60_000);
      const hit = target.hits.find(({ closed, path }) => !closed && !cancelled.has(path))!;
      cancelled.add(hit.path);
      const asked = performance.now();
      await Promise.all([
        fleet.client.workflow.getHandle(hit.path.replace('/hold/', '')).cancel(),
        target.waitFor(() => hit.closed, SOON),
      ]);
      taken.push(performance.now() - asked);
      await delay(PAUSE);
    }
    expect(target.hits.filter(({ aborted }) => aborted)).toHaveLength(CANCELS);
    taken.sort((a, b) => a - b);
    const at = (part: number): string => taken[Math.ceil(part * CANCELS) - 1]!.toFixed(0);
    console.log(`${CANCELS} cancels ${state}, ms: p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)}`);
  },
);
