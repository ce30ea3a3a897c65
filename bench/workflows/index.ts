import { proxyActivities } from '@temporalio/workflow';
import { patient } from '../../workflows/index.ts';
import type { fetchUrl } from '../peers/fetch-activity.ts';

export interface Calls {
  url: string;
  taskQueue: string;
  count: number;
}

const LONG = '10m';

/** So many inline calls at once; gives the number of responses with status 200. */
export async function patientFanOut({ url, taskQueue, count }: Calls): Promise<number> {
  const { get } = patient.extend({ taskQueue, timeout: LONG });
  return successes(Array.from({ length: count }, () => get(url)));
}

/** The same with a plain fetch activity. */
export async function activityFanOut({ url, taskQueue, count }: Calls): Promise<number> {
  const call = fetchOn(taskQueue);
  return successes(Array.from({ length: count }, () => call(url)));
}

/** ms of each call, one after the other in turn, as the workflow sees it. */
export async function latencies(options: {
  url: string;
  patientQueue: string;
  activityQueue: string;
  ownQueue: string;
  count: number;
}): Promise<Record<'patient' | 'activity' | 'eager', number[]>> {
  const { url, patientQueue, activityQueue, ownQueue, count } = options;
  const { get } = patient.extend({ taskQueue: patientQueue });
  const systems = {
    patient: () => get(url),
    activity: () => fetchOn(activityQueue)(url),
    eager: () => fetchOn(ownQueue)(url),
  };
  const taken = { patient: [] as number[], activity: [] as number[], eager: [] as number[] };
  for (let i = 0; i < count; i++) {
    for (const name of ['patient', 'activity', 'eager'] as const) {
      const before = Date.now();
      await systems[name]();
      taken[name].push(Date.now() - before);
    }
  }
  return taken;
}

/** One inline call that only a cancel ends. */
export async function patientCall({ url, taskQueue }: Omit<Calls, 'count'>): Promise<void> {
  await patient.extend({ taskQueue, timeout: LONG }).get(url);
}

function fetchOn(taskQueue: string): typeof fetchUrl {
  return proxyActivities<{ fetchUrl: typeof fetchUrl }>({ taskQueue, startToCloseTimeout: LONG })
    .fetchUrl;
}

async function successes(calls: Promise<{ status: number }>[]): Promise<number> {
  return (await Promise.all(calls)).filter(({ status }) => status === 200).length;
}
