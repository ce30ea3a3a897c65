import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { RequestHandle } from '../../src/client.ts';
import type { RequestSpec } from '../../src/shared/wire.ts';
import { mostIn, watchLateness } from '../flow/windows.ts';
import { run } from '../cli/process.ts';
import { LEASE_TTL, startFleet, type Fleet } from './fleet.ts';

/** Until a dead process's requests run again, on a busy machine. */
const RECOVERED = LEASE_TTL + 60_000;

function submit(
  fleet: Fleet,
  count: number,
  path: string,
  spec: Partial<RequestSpec>,
): Promise<RequestHandle[]> {
  const url = fleet.target.url(path);
  return Promise.all(Array.from({ length: count }, () => fleet.patient.submit.get(url, spec)));
}

async function statuses(handles: RequestHandle[]): Promise<Set<number | undefined>> {
  return new Set(
    (await Promise.all(handles.map((handle) => handle.result()))).map((each) => each?.status),
  );
}

async function flow(fleet: Fleet, ...args: string[]): Promise<void> {
  const { code, stderr } = await run(['dist/src/cli/main.js', 'flow', ...args], {
    PATIENT_REDIS_URL: fleet.redis.url,
    PATIENT_TASK_QUEUE: fleet.taskQueue,
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

/** As many requests in a batch; resolves with the statuses it ends with. */
async function batched(
  fleet: Fleet,
  count: number,
  path: string,
  defaults: Partial<RequestSpec>,
): Promise<Set<number | undefined>> {
  const requests = Array.from({ length: count }, () => fleet.target.url(path));
  const { outcomes = [] } = await fleet.patient.batch({ requests, defaults, chunkSize: 20 });
  return new Set(outcomes.map((each) => ('response' in each ? each.response.status : undefined)));
}

test('four workers keep to a rate and to permits together, also while one is killed', async () => {
  await using fleet = await startFleet();
  const { target } = fleet;
  const [victim, second] = await Promise.all([1, 2, 3, 4].map(() => fleet.worker()));

  const limits = { rate: 40, period: 1_000 };
  // What Temporal has just handed to a killed process is found by it alone.
  const heartbeatTimeout = '10s';
  const rate = { flow: { key: 'rate', ...limits }, heartbeatTimeout } as const;
  const together = watchLateness();
  const rated = await submit(fleet, 80, '/echo', rate);
  const ratedBatch = batched(fleet, 80, '/echo', rate);
  await target.waitFor(({ total }) => total > 40);
  victim!.kill('SIGKILL');
  expect(await statuses(rated)).toEqual(new Set([200]));
  expect(await ratedBatch).toEqual(new Set([200]));
  // The rate and a burst of one.
  expect(mostIn(target.hits, 1_000)).toBeLessThanOrEqual(limits.rate + 1 + together(limits));

  target.peak = 0;
  const places = { flow: { key: 'places', concurrency: 6 }, heartbeatTimeout } as const;
  const placed = await submit(fleet, 30, '/delay/200', places);
  const placedBatch = batched(fleet, 30, '/delay/200', places);
  await target.waitFor(() => target.count('/delay/200') > 20);
  second!.kill('SIGKILL');
  expect(await statuses(placed)).toEqual(new Set([200]));
  expect(await placedBatch).toEqual(new Set([200]));
  expect(target.peak).toBe(6);
}, 240_000);

test('a cool-down and a pause hold back every worker', async () => {
  await using fleet = await startFleet();
  const { target } = fleet;
  await Promise.all([fleet.worker(), fleet.worker()]);
  const spec = { flow: { key: 'shared', concurrency: 10 } };
  const busy = `/flaky/${randomUUID()}/1/429`;
  const first = await submit(fleet, 1, `${busy}?retryAfter=3`, spec);
  await target.waitFor(({ total }) => total === 1);
  // It is told of before the try's ending reaches Temporal.
  await expect
    .poll(() => fleet.redis.redis.hget(`${prefix(fleet)}flow-state:shared`, 'cool'))
    .toMatch(/^\d{4,}/);
  const rest = await submit(fleet, 10, '/echo', spec);
  expect(await statuses([...first, ...rest])).toEqual(new Set([200]));
  const [at, ...later] = target.hits.map((hit) => hit.at);
  expect(Math.min(...later) - at!).toBeGreaterThan(2_900);

  await flow(fleet, 'pause', 'shared');
  const paused = await submit(fleet, 6, '/bytes/1', spec);
  const free = await submit(fleet, 6, '/bytes/2', { flow: { key: 'other', concurrency: 2 } });
  expect(await statuses(free)).toEqual(new Set([200]));
  expect(target.count('/bytes/1')).toBe(0);
  await flow(fleet, 'resume', 'shared');
  expect(await statuses(paused)).toEqual(new Set([200]));
});

test('what a worker has no room for waits in Temporal; another key goes by', async () => {
  await using fleet = await startFleet({
    env: { PATIENT_MAX_WAITING: '5', PATIENT_MAX_CONNECTIONS: '4' },
  });
  const { target, client } = fleet;
  await fleet.worker();
  const spec = { flow: { key: 'crowd', concurrency: 1 } };
  const crowd = await submit(fleet, 30, '/hold', spec);
  await target.waitFor(({ held }) => held === 1);
  await expect
    .poll(
      async () => {
        const descriptions = await Promise.all(
          crowd.map(({ requestId }) => client.workflow.getHandle(requestId).describe()),
        );
        return descriptions.filter(
          ({ raw }) =>
            raw.pendingActivities?.[0]?.lastFailure?.message === 'Waits for its flow key',
        ).length;
      },
      { timeout: RECOVERED },
    )
    .toBe(24);
  const others = await submit(fleet, 30, '/echo', {});
  expect(await statuses(others)).toEqual(new Set([200]));
  expect(target.count('/hold')).toBe(1);

  await flow(fleet, 'set', 'crowd', '--concurrency', '30');
  const releasing = setInterval(() => target.release(), 50);
  try {
    expect(await statuses(crowd)).toEqual(new Set([200]));
  } finally {
    clearInterval(releasing);
  }
});

function prefix(fleet: Fleet): string {
  return `patient:{default/${fleet.taskQueue}}:`;
}
