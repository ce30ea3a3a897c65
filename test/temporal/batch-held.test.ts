/** Outcomes that wait to be collected, where no Redis has them. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { SinkItem } from '../../src/shared/wire-batch.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';

let env: Environment;
let saved: SinkItem[] = [];
let going: Promise<void>;
let go = (): void => undefined;

const activities = {
  /** Takes the first list at once, and ends when it is let go. */
  async save(items: SinkItem[]): Promise<void> {
    saved.push(...items);
    await going;
  },
};

beforeAll(async () => {
  env = await startEnvironment({ user: { activities } });
});
afterAll(() => env?.[Symbol.asyncDispose]());
afterEach(() => go());

/** Starts a batch of 40 responses of 100 KB and waits for those that fit into its chunk's result. */
async function startHeld(from: Environment) {
  saved = [];
  going = new Promise((resolve) => (go = resolve));
  const batch = await from.patient.submitBatch({
    requests: Array.from({ length: 40 }, (_, i) => from.target.url(`/bytes/100000?${i}`)),
    sink: { activity: 'save', taskQueue: env.userQueue },
  });
  await expect.poll(() => saved.length).toBeGreaterThan(0);
  expect(saved.length).toBeLessThan(40);
  return batch;
}

test('the process that has them is found among others', async () => {
  const batch = await startHeld(env);
  await using _other = await startEnvironment({ taskQueue: env.taskQueue });
  go();
  expect(await batch.result()).toMatchObject({ succeeded: 40, failed: 0 });
  expect(new Set(saved.map(({ index }) => index)).size).toBe(40);
  expect(env.target.total).toBe(40);
});

test('a process that is stopped waits until it has given them', async () => {
  const taskQueue = randomUUID();
  const old = await startEnvironment({ taskQueue });
  const batch = await startHeld(old);
  await using _next = await startEnvironment({ taskQueue });
  const stopped = old.worker.shutdown();
  go();
  expect(await batch.result()).toMatchObject({ succeeded: 40, failed: 0 });
  await stopped;
  expect(new Set(saved.map(({ index }) => index)).size).toBe(40);
  expect(old.target.total).toBe(40);
  await old[Symbol.asyncDispose]();
});

test('a process that is stopped does not wait for a batch that has ended', async () => {
  await using old = await startEnvironment({ taskQueue: randomUUID(), drainTimeout: '10m' });
  const batch = await startHeld(old);
  await old.client.workflow.getHandle(batch.workflowId).terminate();
  expect(await old.worker.shutdown()).toBe(0);
});

test('a process that is stopped and not asked in time says how many are lost', async () => {
  const short = { shutdownTimeout: 100, drainTimeout: 100 };
  await using old = await startEnvironment({ taskQueue: randomUUID(), ...short });
  const batch = await startHeld(old);
  expect(await old.worker.shutdown()).toBe(40 - saved.length);
  await old.client.workflow.getHandle(batch.workflowId).terminate();
});
