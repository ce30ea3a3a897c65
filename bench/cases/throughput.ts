import { setTimeout as delay } from 'node:timers/promises';
import { difference, historyEvents, redisCommands, temporalCalls, total } from '../counters.ts';
import type { Environment } from '../environment.ts';
import { cpuBetween, medians, quantile } from '../measure.ts';
import { ratio, type CaseResult } from '../report.ts';
import { DEFAULT_SLOTS, SYSTEMS, type System, type SystemName } from '../systems.ts';

/** How long the target takes for each request. */
const TARGET_MS = 1_000;
/** Asked for at once, to see when each is answered; fewer where a system makes fewer in all. */
const AT_ONCE = 1_000;
const HOLD_MS = 2_000;

export interface ThroughputOptions {
  /** Requests at once. */
  concurrency: number;
  chunkSize: number;
  /** Requests of each system: as many as it takes about twenty seconds for. */
  counts: Record<SystemName, number>;
  rounds: number;
}

type Figures = Awaited<ReturnType<typeof measure>>;

/** The same requests in every way there is to make them, side by side. */
export async function throughput(
  env: Environment,
  { concurrency, chunkSize, counts, rounds }: ThroughputOptions,
): Promise<CaseResult> {
  const names = Object.keys(SYSTEMS) as SystemName[];
  const measured = Object.fromEntries(names.map((name) => [name, [] as Figures[]]));
  for (let round = 0; round < rounds; round++) {
    // In turn forwards and backwards: what drifts meanwhile hits all alike.
    for (const name of round % 2 ? names.toReversed() : names) {
      const system = await SYSTEMS[name](env, { concurrency, chunkSize });
      try {
        const places = name === 'fetch activity, default slots' ? DEFAULT_SLOTS : concurrency;
        const atOnce = Math.min(counts[name], AT_ONCE);
        const sizes = { count: counts[name], atOnce, held: Math.min(places, atOnce) };
        measured[name]!.push(await measure(env, system, sizes));
      } finally {
        await system.peer[Symbol.asyncDispose]();
      }
    }
  }
  const figures = Object.fromEntries(
    names.map((name) => [name, medians(measured[name]!)]),
  ) as Record<SystemName, Figures>;
  return {
    title: `GETs of a target that takes ${TARGET_MS / 1000} s, up to ${concurrency} at once`,
    parameters: { concurrency, chunkSize, rounds },
    rows: names.map((name) => ({ system: name, ...figures[name] })),
    remarks: remarksOn(figures),
    rounds: measured,
  };
}

async function measure(
  env: Environment,
  system: System,
  { count, atOnce, held }: { count: number; atOnce: number; held: number },
) {
  const { peer, run } = system;
  const url = `${env.origin}/delay/${TARGET_MS}`;
  // Compiled code and open queues are no part of what a request costs.
  await run(`${env.origin}/bytes/20`, atOnce);
  return {
    requests: count,
    ...(await measureRate(env, system, url, count)),
    ...(await measureLatency(system, url, atOnce)),
    'heap KB/req': await measureHeap(env, system, held),
    'RSS MB': (await peer.call('usage', { gc: false })).rss / 1024 ** 2,
  };
}

async function measureRate(env: Environment, { peer, run }: System, url: string, count: number) {
  const { driver, metricsUrl, redis, client } = env;
  const since = new Date();
  const temporal = await temporalCalls(metricsUrl);
  const inRedis = await redisCommands(redis);
  const before = await peer.call('usage', { gc: true });
  const driverBefore = await driver.call('usage', { gc: true });
  const started = performance.now();
  const answered = await run(url, count);
  const seconds = (performance.now() - started) / 1000;
  if (answered.length < count) throw new Error(`${count - answered.length} requests failed`);
  const cpu = cpuBetween(before, await peer.call('usage', { gc: false }));
  const driverCpu = cpuBetween(driverBefore, await driver.call('usage', { gc: false }));
  const redisUsed = difference(inRedis, await redisCommands(redis));
  const temporalUsed = difference(temporal, await temporalCalls(metricsUrl));
  return {
    'req/s': count / seconds,
    'CPU ms/req': cpu / count,
    'caller CPU ms/req': driverCpu / count,
    'RPCs/1000': (total(temporalUsed) * 1_000) / count,
    'events/1000': ((await historyEvents(client, since)) * 1_000) / count,
    'Redis calls/req': total(redisUsed) / count,
  };
}

async function measureLatency({ run }: System, url: string, atOnce: number) {
  const answered = await run(url, atOnce);
  return { 'p50 s': quantile(answered, 0.5) / 1000, 'p99 s': quantile(answered, 0.99) / 1000 };
}

/** Of so many in flight, after a collection, less the same process idle. */
async function measureHeap({ target, origin }: Environment, { peer, run }: System, held: number) {
  const idle = await peer.call('usage', { gc: true });
  await target.call('openGate', { count: held, holdMs: HOLD_MS });
  const running = run(`${origin}/gate`, held);
  await target.call('waitForInFlight', { count: held, timeoutMs: 60_000 });
  await delay(HOLD_MS / 2);
  const plateau = await peer.call('usage', { gc: true });
  await running;
  return (plateau.heap - idle.heap) / 1024 / held;
}

function remarksOn(figures: Record<SystemName, Figures>): string[] {
  const batch = figures['Patient HTTP, batch'];
  const against = (name: SystemName): string =>
    `${ratio(batch['req/s'], figures[name]['req/s'])} of the throughput and ` +
    `${ratio(batch['CPU ms/req'], figures[name]['CPU ms/req'])} of the CPU per request of ${name}`;
  return (
    ['bare undici', 'BullMQ job', 'fetch activity, default slots'] satisfies SystemName[]
  ).map((name) => `A batch has ${against(name)}.`);
}
