import { expect, inject, test } from 'vitest';
import { startTemporalServer } from '../../src/testing/temporal-server.ts';
import { startFleet } from '../redis/fleet.ts';
import { startCaller, tally } from './caller.ts';
import { FULL } from './size.ts';
import { measureTraffic } from './traffic.ts';

const COUNT = FULL ? 2_000 : 300;
const LEASE_TTL = FULL ? 10_000 : 2_000;
/** At rest a request heartbeats every third of it: each minute at full size, as by default. */
const HEARTBEAT_TIMEOUT = FULL ? 180_000 : 15_000;
const WINDOW = FULL ? 60_000 : 5_000;
const RECOVERED = 60_000;

test(
  `one of two processes is killed with ${COUNT} GETs in flight`,
  { timeout: 300_000 },
  async () => {
    await using server = await startTemporalServer({ cli: inject('temporalCli'), metrics: true });
    await using fleet = await startFleet({
      temporalAddress: server.address,
      target: { record: false },
      env: { PATIENT_MAX_CONNECTIONS: '2000', PATIENT_LEASE_TTL: String(LEASE_TTL) },
    });
    const { target } = fleet;
    const [victim] = await Promise.all([fleet.worker(), fleet.worker()]);
    await using caller = await startCaller(fleet);
    const paths = Array.from({ length: COUNT }, (_, i) => `/hold/${i}`);
    const outcomes = await caller.call(
      paths.map((path) => ({ url: target.url(path), heartbeatTimeout: HEARTBEAT_TIMEOUT })),
    );
    await target.waitFor(({ inFlight }) => inFlight === COUNT, 60_000);

    // At rest each process renews its lease, whatever it has in flight; each request heartbeats.
    const traffic = await measureTraffic(fleet.redis, server, WINDOW);
    const renewals = 2 * (traffic.ms / (LEASE_TTL / 3) + 1);
    expect(traffic.scripts).toBeGreaterThan(0);
    expect(traffic.scripts).toBeLessThanOrEqual(renewals);
    // One that a busy machine delayed is followed by the next at its own time.
    const beats = 2 * COUNT * (traffic.ms / (HEARTBEAT_TIMEOUT / 3));
    expect(traffic.heartbeats).toBeGreaterThan(0);
    expect(traffic.heartbeats).toBeLessThanOrEqual(beats);

    const killed = performance.now();
    victim.kill('SIGKILL');
    await victim.end();
    const orphans = COUNT - target.inFlight;
    expect(orphans).toBeGreaterThan(0);
    const times: number[] = [];
    for (const part of [0.01, 0.5, 1]) {
      await target.waitFor(({ total }) => total >= COUNT + orphans * part, RECOVERED);
      times.push(Math.round(performance.now() - killed));
    }
    await target.waitFor(({ inFlight }) => inFlight === COUNT);
    target.release();

    expect(tally(await outcomes())).toEqual({ 200: COUNT });
    expect(target.total).toBe(COUNT + orphans);
    expect(Math.max(...paths.map((path) => target.count(path)))).toBe(2);
    console.log(
      `${COUNT} GETs, leaseTtl ${LEASE_TTL} ms: ${orphans} orphans; the first, half and all of ` +
        `them sent again after ${times.join(', ')} ms. At rest: ${JSON.stringify(traffic)}`,
    );
    // On a busy machine the time says nothing.
    if (FULL) expect(times.at(-1)).toBeLessThan(LEASE_TTL + 5_000);
  },
);
