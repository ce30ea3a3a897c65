import { setTimeout as delay } from 'node:timers/promises';
import { difference, temporalCalls, total } from '../counters.ts';
import type { Environment } from '../environment.ts';
import { cpuBetween, medians, type Usage } from '../measure.ts';
import { startPeer, type Methods, type Peer } from '../peer.ts';
import type { activity } from '../peers/activity.ts';
import type { patient } from '../peers/patient.ts';
import type { undici } from '../peers/undici.ts';
import { ratio, type CaseResult } from '../report.ts';

const WARM_UP = 200;
const IDLE_MS = 2_000;
/** The plateau is measured when all has been quiet for so long. */
const SETTLE_MS = 2_000;
const RAMP_TIMEOUT = 120_000;

export interface InFlightOptions {
  /** Requests in flight at once. */
  count: number;
  /** How long the last of them is in flight; the others are longer. */
  holdMs: number;
  rounds: number;
}

interface System {
  peer: Peer<Methods>;
  /** Makes the calls; the number that were answered with 200. */
  run(url: string, count: number): Promise<number>;
}

/** Many slow requests in flight in one process at once: what each costs there. */
export async function inFlight(
  env: Environment,
  { count, holdMs, rounds }: InFlightOptions,
): Promise<CaseResult> {
  const slots = Math.ceil(count * 1.2);
  const systems: Record<string, () => Promise<System>> = {
    'Patient HTTP, inline': () => startPatient(env, slots),
    'plain fetch activity': () => startActivity(env, slots),
    'bare undici': startUndici,
  };
  const measured: Record<string, Awaited<ReturnType<typeof measure>>[]> = {};
  for (let round = 0; round < rounds; round++) {
    const names = Object.keys(systems);
    // In turn forwards and backwards: what drifts meanwhile hits all alike.
    for (const name of round % 2 ? names.toReversed() : names) {
      const system = await systems[name]!();
      try {
        (measured[name] ??= []).push(await measure(env, system, count, holdMs));
      } finally {
        await system.peer[Symbol.asyncDispose]();
      }
    }
  }
  const rows = Object.keys(systems).map((name) => ({
    system: name,
    ...medians(measured[name] ?? []),
  }));
  const [ours, plain, bare] = rows as unknown as [Measured, Measured, Measured];
  return {
    title: `${count} requests in flight in one process`,
    parameters: { requests: count, 'seconds held': holdMs / 1000, rounds },
    rows,
    remarks: [
      `Heap per request, Patient HTTP to plain fetch activity: ${ratio(ours['heap KB/req'], plain['heap KB/req'])}; to bare undici: ${ratio(ours['heap KB/req'], bare['heap KB/req'])}.`,
      `CPU per request, Patient HTTP to plain fetch activity: ${ratio(ours['CPU ms/req'], plain['CPU ms/req'])}; to bare undici: ${ratio(ours['CPU ms/req'], bare['CPU ms/req'])}.`,
    ],
    rounds: measured,
  };
}

type Measured = Awaited<ReturnType<typeof measure>>;

async function measure(
  { target, origin, driver, metricsUrl }: Environment,
  system: System,
  count: number,
  holdMs: number,
) {
  const { peer, run } = system;
  // Compiled code and open queues are no part of what a request costs.
  await run(`${origin}/bytes/100`, WARM_UP);
  await target.call('waitForNoConnections', 10_000).catch(() => undefined);
  await target.call('reset');
  const callsBefore = await temporalCalls(metricsUrl);
  const before = await peer.call('usage', { gc: true });
  await delay(IDLE_MS);
  const idle = await peer.call('usage', { gc: true });
  const driverBefore = await driver.call('usage', { gc: false });

  const started = performance.now();
  await target.call('openGate', { count, holdMs });
  const running = run(`${origin}/gate`, count);
  const plateau = await Promise.race([
    running.then(() => Promise.reject(new Error('it ended before all were in flight'))),
    atPlateau({ peer, target }, count, holdMs),
  ]);
  const completed = await running;
  const elapsed = performance.now() - started;
  const end = await peer.call('usage', { gc: false });
  const driverEnd = await driver.call('usage', { gc: false });
  const { peak } = await target.call('stats');
  const idleCpu = (cpuBetween(before, idle) / IDLE_MS) * elapsed;
  return {
    completed,
    'peak at target': peak,
    'heap KB/req': (plateau.usage.heap - idle.heap) / 1024 / count,
    'external KB/req': (plateau.usage.external - idle.external) / 1024 / count,
    'RSS KB/req': (plateau.usage.rss - idle.rss) / 1024 / count,
    'CPU ms/req': (cpuBetween(idle, end) - idleCpu) / count,
    'workflow CPU ms/req': cpuBetween(driverBefore, driverEnd) / count,
    'RPCs/req': total(difference(callsBefore, await temporalCalls(metricsUrl))) / count,
    'ramp s': (plateau.at - started) / 1000,
    'elapsed s': elapsed / 1000,
  };
}

async function atPlateau(
  { peer, target }: Pick<Environment, 'target'> & { peer: Peer<Methods> },
  count: number,
  holdMs: number,
): Promise<{ usage: Usage; at: number }> {
  await target.call('waitForInFlight', { count, timeoutMs: RAMP_TIMEOUT });
  const at = performance.now();
  await delay(Math.min(SETTLE_MS, holdMs / 2));
  return { usage: await peer.call('usage', { gc: true }), at };
}

async function startPatient(env: Environment, maxConnections: number): Promise<System> {
  const peer = await startPeer<typeof patient>('patient');
  const taskQueue = `patient-${performance.now()}`;
  const userAgent = 'patient-http';
  const address = env.temporalAddress;
  await peer.call('start', { address, taskQueue, maxConnections, userAgent });
  return temporalSystem(env, peer, 'patientFanOut', taskQueue);
}

async function startActivity(env: Environment, slots: number): Promise<System> {
  const peer = await startPeer<typeof activity>('activity');
  const taskQueue = `activity-${performance.now()}`;
  await peer.call('start', { address: env.temporalAddress, taskQueue, slots });
  return temporalSystem(env, peer, 'activityFanOut', taskQueue);
}

async function startUndici(): Promise<System> {
  const peer = await startPeer<typeof undici>('undici');
  return {
    peer: peer as unknown as Peer<Methods>,
    run: async (url, count) => (await peer.call('fanOut', { url, count })).length,
  };
}

function temporalSystem(
  { driver }: Environment,
  peer: Peer<typeof patient> | Peer<typeof activity>,
  workflowType: string,
  taskQueue: string,
): System {
  return {
    peer,
    async run(url, count) {
      return (await driver.call('fanOut', { workflowType, count, url, taskQueue })).length;
    },
  };
}
