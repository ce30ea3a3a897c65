import { executeChild, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { RequestSpec } from '../../src/shared/wire.ts';
import { patient, patientGet } from '../../workflows/index.ts';
import type { fetchUrl } from '../peers/fetch-activity.ts';

export interface Calls {
  url: string;
  taskQueue: string;
  count: number;
  /** Of every request. */
  spec?: Partial<RequestSpec>;
}

const LONG = '10m';

/** So many inline calls at once; gives the time of each response with status 200, epoch ms. */
export async function patientFanOut({ url, taskQueue, count, spec }: Calls): Promise<number[]> {
  const { get } = patient.extend({ taskQueue, timeout: LONG });
  return answers(count, () => get(url, spec));
}

/** ms of each inline call, in so many lanes of one after the other. */
export async function patientInTurn(calls: Calls & { lanes: number }): Promise<number[]> {
  const { url, taskQueue, count, lanes } = calls;
  const { get } = patient.extend({ taskQueue, timeout: LONG });
  const taken: number[] = [];
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const before = Date.now();
      await get(url);
      taken.push(Date.now() - before);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return taken;
}

/** So many requests at once, each in a workflow of its own. */
export async function childFanOut({ url, taskQueue, count }: Calls): Promise<number[]> {
  const args: [RequestSpec] = [{ url, timeout: LONG }];
  return answers(count, () => executeChild(patientGet, { taskQueue, args }));
}

/** So many requests at once with a plain fetch activity. */
export async function activityFanOut({ url, taskQueue, count }: Calls): Promise<number[]> {
  const call = fetchOn(taskQueue);
  return answers(count, () => call(url));
}

/** One request with a plain fetch activity. */
export async function fetchChild(url: string): ReturnType<typeof fetchUrl> {
  return fetchOn(workflowInfo().taskQueue)(url);
}

/** So many of them at once, each in a workflow of its own. */
export async function fetchChildFanOut({ url, taskQueue, count }: Calls): Promise<number[]> {
  return answers(count, () => executeChild(fetchChild, { taskQueue, args: [url] }));
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

async function answers(
  count: number,
  call: () => Promise<{ status: number } | null>,
): Promise<number[]> {
  const at: number[] = [];
  await Promise.all(
    Array.from({ length: count }, async () => {
      if ((await call())?.status === 200) at.push(Date.now());
    }),
  );
  return at;
}
