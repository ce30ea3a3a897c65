import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { Flow } from '../../src/flow/flow.ts';
import type { Later, Permit } from '../../src/flow/port.ts';
import type { FlowLimits } from '../../src/shared/flow-limits.ts';
import { waitFor } from '../support/wait-for.ts';
import { OK, pass, sentAway } from './processes.ts';

const never = new AbortController().signal;

/** Of a request for each of `limits`, by turns in each process, when each takes a while. */
export async function mostAtOnce(flows: Flow[], limits: FlowLimits[]): Promise<number> {
  let most = 0;
  let now = 0;
  await Promise.all(
    limits.map(async (each, index) => {
      const permit = await pass(flows[index % flows.length]!, 'named', each);
      most = Math.max(most, ++now);
      await pause(20);
      now--;
      permit.release(OK);
    }),
  );
  return most;
}

/** What `operator` does to keys on which requests of `flow` wait. */
export async function changes(operator: Flow, flow: Flow): Promise<void> {
  const { admin } = operator;
  const slow = { rate: 1, period: 30_000 };
  (await pass(flow, 'rate', slow)).release(OK);
  const rated = pass(flow, 'rate', slow);
  await admin.set('rate', { rate: 1_000, period: 1_000 });
  (await rated).release(OK);

  const held = await pass(flow, 'permits', { concurrency: 1 });
  const waiting = [1, 2].map(() => pass(flow, 'permits', { concurrency: 1 }));
  await admin.set('permits', { concurrency: 3 });
  for (const permit of [held, ...(await Promise.all(waiting))]) permit.release(OK);

  // Granted ahead of its time, or on its way to a place: a pause comes before both.
  const half = { rate: 2, period: 1_000 };
  (await pass(flow, 'pause', half)).release(OK);
  const paused = performance.now();
  const ahead = pass(flow, 'pause', half).then((permit) => [permit, performance.now()] as const);
  const placeless = await flow.acquire(
    'host',
    { key: 'placeless', limits: { concurrency: 1 }, cost: 1, pointer: undefined },
    never,
  );
  await Promise.all([admin.pause('pause'), admin.pause('placeless')]);
  const permit = placeless as Permit;
  await waitFor(async () => permit.ready(never) !== undefined);
  expect(await sentAway(permit.ready(never) as Promise<Later>)).toBeGreaterThanOrEqual(5_000);
  permit.release('nothing');
  await waitFor(() => performance.now() - paused > 900);
  await admin.resume('pause');
  const resumed = performance.now();
  const [last, at] = await ahead;
  expect(at).toBeGreaterThan(resumed - 50);
  last.release(OK);
  expect(performance.now() - paused).toBeLessThan(10_000);
}
