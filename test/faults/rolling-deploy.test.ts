import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { RunningProcess } from '../cli/process.ts';
import { startFleet } from '../redis/fleet.ts';
import { startCaller, tally } from './caller.ts';
import { FULL } from './size.ts';

const PROCESSES = 3;
/** Each replaces all processes, one after another. */
const DEPLOYS = FULL ? 2 : 1;
/** At least, in all; ms. */
const DURATION = FULL ? 120_000 : 10_000;
/** What a shutdown leaves behind waits for it. */
const HEARTBEAT_TIMEOUT = 40_000;
/** A development server that is busy hands one of hundreds to nobody, whoever shuts down. */
const HANDED_TO_NOBODY = 1;
/** Between a GET and a POST and the next two. */
const PACE = 100;

test(
  'a rolling deploy under load fails no call and sends no POST twice',
  { timeout: 400_000 },
  async () => {
    await using fleet = await startFleet({
      target: { record: false },
      // Longer GETs are handed over, POSTs run on.
      env: { PATIENT_SHUTDOWN_TIMEOUT: '1s', PATIENT_DRAIN_TIMEOUT: '1m' },
    });
    const { target } = fleet;
    let processes = await Promise.all(Array.from({ length: PROCESSES }, () => fleet.worker()));
    await using caller = await startCaller(fleet);

    const path = (i: number): string => `/delay/${200 + ((i * 397) % 2_800)}/${i}`;
    const calls: (() => Promise<string[]>)[] = [];
    let isLoaded = true;
    const load = (async () => {
      for (let i = 0; isLoaded; i += 2) {
        calls.push(
          await caller.call([
            { url: target.url(path(i)), heartbeatTimeout: HEARTBEAT_TIMEOUT },
            {
              method: 'POST',
              url: target.url(path(i + 1)),
              json: { i },
              heartbeatTimeout: HEARTBEAT_TIMEOUT,
            },
          ]),
        );
        await delay(PACE);
      }
    })();

    const started = performance.now();
    const codes: (number | null)[] = [];
    try {
      for (let deploy = 0; deploy < DEPLOYS; deploy++) {
        const replaced: RunningProcess[] = [];
        for (const old of processes) {
          replaced.push(await fleet.worker());
          old.kill('SIGTERM');
          codes.push((await old.end()).code);
        }
        processes = replaced;
        await delay(Math.max(0, started + (DURATION * (deploy + 1)) / DEPLOYS - performance.now()));
      }
    } finally {
      isLoaded = false;
      await load;
    }
    const ms = Math.round(performance.now() - started);

    const unloaded = performance.now();
    const ends: number[] = [];
    const results = calls.map(async (results) => {
      const both = await results();
      ends.push(performance.now() - unloaded);
      return both;
    });
    const outcomes = (await Promise.all(results)).flat();
    const rest = Math.round(Math.max(...ends));
    expect(tally(outcomes)).toEqual({ 200: 2 * calls.length });
    const leftBehind = ends.filter((ms) => ms > HEARTBEAT_TIMEOUT - 10_000);
    expect(leftBehind.length).toBeLessThanOrEqual(HANDED_TO_NOBODY);
    expect(codes).toEqual(Array(PROCESSES * DEPLOYS).fill(0));
    const hits = outcomes.map((_, i) => target.count(path(i)));
    expect(tally(hits.filter((_, i) => i % 2 === 1).map(String))).toEqual({ 1: calls.length });
    const again = hits.filter((count) => count > 1).length;
    console.log(
      `${codes.length} processes replaced in ${ms} ms: ${outcomes.length} calls, the last ` +
        `answered ${rest} ms later; ${again} GETs handed over and sent again`,
    );
  },
);
