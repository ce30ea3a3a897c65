import type { Environment } from '../environment.ts';
import { median, quantile } from '../measure.ts';
import { startPeer } from '../peer.ts';
import type { activity } from '../peers/activity.ts';
import type { patient } from '../peers/patient.ts';
import { ratio, type CaseResult } from '../report.ts';

const WARM_UP = 20;

const SYSTEMS = {
  patient: 'Patient HTTP, inline',
  activity: 'plain fetch activity, queue of its own',
  eager: "plain fetch activity, eager on the workflow's queue",
} as const;

type Latencies = Record<keyof typeof SYSTEMS, number[]>;

/** One call after the other in a workflow, the systems in turn, nothing else going on. */
export async function latency(
  env: Environment,
  { count, rounds }: { count: number; rounds: number },
): Promise<CaseResult> {
  const { driver, temporalAddress: address } = env;
  await using ours = await startPeer<typeof patient>('patient');
  const patientQueue = 'latency-patient';
  await ours.call('start', {
    ...{ address, taskQueue: patientQueue },
    ...{ maxConnections: 1_000, userAgent: 'patient-http' },
  });
  await using plain = await startPeer<typeof activity>('activity');
  const activityQueue = 'latency-activity';
  await plain.call('start', { address, taskQueue: activityQueue, slots: 1_000 });

  const queues = { patientQueue, activityQueue, ownQueue: env.driverQueue };
  const call = (calls: number): Promise<Latencies> => {
    const args = [{ url: `${env.origin}/bytes/100`, ...queues, count: calls }];
    return driver.call('run', { workflowType: 'latencies', args }) as Promise<Latencies>;
  };
  await call(WARM_UP);
  const measured: Latencies[] = [];
  for (let round = 0; round < rounds; round++) measured.push(await call(count));

  const figure = (name: keyof Latencies, q: number): number =>
    median(measured.map((round) => quantile(round[name], q)));
  const names = Object.keys(SYSTEMS) as (keyof Latencies)[];
  const p50 = (name: keyof Latencies): number => figure(name, 0.5);
  return {
    title: 'Latency of one call, ms as the workflow sees it',
    parameters: { calls: count, rounds },
    rows: names.map((name) => ({
      system: SYSTEMS[name],
      p50: p50(name),
      p90: figure(name, 0.9),
      p99: figure(name, 0.99),
    })),
    remarks: [
      `p50, Patient HTTP to plain fetch activity on a queue of its own: ${ratio(p50('patient'), p50('activity'))}; to the eager one: ${ratio(p50('patient'), p50('eager'))}.`,
    ],
    rounds: measured,
  };
}
