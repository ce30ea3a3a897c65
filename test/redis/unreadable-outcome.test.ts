/* A kept outcome that the next process cannot read: it lacks the key that it is encrypted with. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { PatientWorkerOptions } from '../../src/index.ts';
import { KeptOutcomeError } from '../../src/shared/errors.ts';
import type { Outcome } from '../../src/shared/outcome.ts';
import { A, B, Memory } from '../payload/support.ts';
import { keyOf, startHarness, submitBatch } from '../processor/harness.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';
import { failureOf } from '../temporal/support/outcomes.ts';
import { startSecondWorker } from '../temporal/support/second-worker.ts';
import { makeAttempt, ownerOn, record, seal, server, startOwner } from './owner.ts';

const [OLD, NEW] = [`a:${A}`, `b:${B}`];
const LARGE = 5_000;

type Options = Partial<PatientWorkerOptions> & { payloadStore: Memory };

/** Starts something whose outcomes a worker with a newer key puts into Redis, for its store is away. */
async function keptByNewer<T>(env: Environment, options: Options, start: () => Promise<T>) {
  await env.worker.shutdown();
  await using newer = await startSecondWorker(env, { ...options, encryptionKeys: [NEW, OLD] });
  const { payloadStore } = options;
  payloadStore.away = true;
  const ended = start();
  ended.catch(() => undefined);
  await waitFor(() => payloadStore.refused > 1);
  expect(await newer.worker.shutdown()).toBe(0);
  payloadStore.away = false;
  return { ended };
}

test('fails in the end and names the key; the outcome stays where it is', async () => {
  await using redis = await startRedis();
  const store = { payloadStore: new Memory(), payloadThreshold: 3_000 };
  const options = { ...store, redisUrl: redis.url, leaseTtl: 1_500 };
  await using env = await startEnvironment({ ...options, encryptionKeys: [OLD] });
  const { ended } = await keptByNewer(env, options, () => {
    const spec = { url: env.target.url(`/bytes/${LARGE}`), deadline: '6s' };
    return failureOf(env.run('inlineRequest', [spec, env.taskQueue]));
  });
  await using _older = await startSecondWorker(env, { ...options, encryptionKeys: [OLD] });
  const failure = await ended;
  expect(failure).toMatchObject({ type: 'UnknownError', phase: 'sent' });
  expect(failure.message).toContain('encrypted with key "b"; this process has "a"');
  expect(env.target.total).toBe(1);
  const [request] = await redis.redis.keys('*:request:*');
  expect(await redis.redis.hkeys(request!)).toContain('outcome');
});

test('those of a batch wait for a process that has the key, and that is no crash', async () => {
  await using redis = await startRedis();
  const store = { payloadStore: new Memory(), payloadThreshold: 3_000 };
  const options = { ...store, redisUrl: redis.url, leaseTtl: 1_500, maxCrashes: 1 };
  await using env = await startEnvironment({ ...options, encryptionKeys: [OLD] });
  const workflowId = `unreadable-${env.taskQueue}`;
  const { ended } = await keptByNewer(env, options, () => {
    const urls = [`/bytes/${LARGE}`, '/hold', `/bytes/${LARGE}`].map((path) =>
      env.target.url(path),
    );
    return env.run<string[]>('inlineBatch', [urls, env.taskQueue], workflowId);
  });
  {
    await using _older = await startSecondWorker(env, { ...options, encryptionKeys: [OLD] });
    await waitFor(async () => {
      const { raw } = await env.client.workflow.getHandle(workflowId).describe();
      return raw.pendingActivities![0]!.attempt! >= 4;
    });
  }
  await using _both = await startSecondWorker(env, { ...options, encryptionKeys: [OLD, NEW] });
  await env.target.waitFor(({ held }) => held === 1);
  env.target.release();
  expect(await ended).toEqual(['x'.repeat(LARGE), '{"held":true}', 'x'.repeat(LARGE)]);
  const again = env.target.hits.filter(({ path }) => path !== '/hold');
  expect(again).toHaveLength(2);
});

test('where that has gone on for too long it ends one item of a batch, and the others go on', async () => {
  const queue = randomUUID();
  const key = keyOf('batch');
  const before = await startOwner(queue);
  await before.liveness.register({ ...record(1, 1_000, key), items: 3 }, false);
  const created = { kind: 'response', response: { status: 201 } } as unknown as Outcome;
  for (const index of [0, 1]) await before.liveness.settle({ ...key, index }, created);
  await before.stop();

  const unreadable = new KeptOutcomeError('no key "b"');
  const { liveness } = ownerOn(server, queue, {
    ...seal,
    open: async (item, sealed) => {
      if (item.index === 1) throw unreadable;
      return seal.open(item, sealed);
    },
  });
  await using harness = await startHarness({ liveness });
  const { handler, target } = harness;
  const submit = (number: number, skipsUnreadable: boolean): Promise<void> =>
    submitBatch(harness, ['/status/200?0', '/status/200?1', '/status/200?2'], {
      ...{ key, attempt: makeAttempt(number, 1_000 * number), skipsUnreadable },
    });
  await expect(submit(2, false)).rejects.toBe(unreadable);
  expect(harness.processor.total).toBe(0);
  await submit(3, true);
  await waitFor(() => handler.batches.length === 1);
  expect(handler.batches[0]!.reports.map(({ ending }) => ending)).toMatchObject([
    created,
    { kind: 'error', error: { type: 'UnknownError', phase: 'sent', message: 'no key "b"' } },
    { kind: 'response', response: { status: 200 } },
  ]);
  expect(target.hits.map(({ path }) => path)).toEqual(['/status/200?2']);
});

test('a chunk that runs here goes on with a newer attempt, though its outcomes could not be read', async () => {
  const { liveness } = ownerOn(server, randomUUID(), {
    ...seal,
    open: () => Promise.reject(new KeptOutcomeError('no key "b"')),
  });
  await using harness = await startHarness({ liveness });
  const { handler, target } = harness;
  const key = keyOf('batch');
  const submit = (number: number): Promise<void> =>
    submitBatch(harness, ['/status/200', '/hold'], {
      ...{ key, attempt: makeAttempt(number, 1_000 * number) },
    });
  await submit(1);
  await target.waitFor(({ held }) => held === 1);
  const [request] = await server.redis.keys(`*:request:*${key.workflowId}*`);
  await waitFor(() => server.redis.hget(request!, 'outcome:0'));
  await submit(2);
  target.release();
  await waitFor(() => handler.batches.length === 1);
  const { attempt, reports } = handler.batches[0]!;
  expect(attempt.number).toBe(2);
  expect(reports.map(({ ending }) => ending.kind)).toEqual(['response', 'response']);
});
