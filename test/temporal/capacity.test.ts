import { randomUUID } from 'node:crypto';
import { NativeConnection } from '@temporalio/worker';
import { expect, inject, test } from 'vitest';
import { PatientWorker } from '../../src/worker.ts';
import { startEnvironment } from '../support/environment.ts';
import { startSecondWorker } from './support/second-worker.ts';

test('a full processor makes requests wait: none fails, and the target never sees more', async () => {
  let reached = 0;
  await using env = await startEnvironment({
    maxConnections: 20,
    observers: [{ capacityReached: () => void reached++ }],
  });
  const url = env.target.url('/hold');
  const responses = Promise.all(Array.from({ length: 60 }, () => env.patient.get(url)));
  for (let answered = 0; answered < 60; answered += env.target.release()) {
    const full = Math.min(20, 60 - answered);
    await env.target.waitFor(({ held }) => held === full);
  }

  expect((await responses).map(({ status }) => status)).toEqual(Array(60).fill(200));
  expect(env.target.peak).toBe(20);
  expect(env.target.total).toBe(60);
  expect(reached).toBeGreaterThan(0);
});

test('what one full worker leaves in the queue, another takes', async () => {
  await using env = await startEnvironment({ maxConnections: 5 });
  const held = Array.from({ length: 5 }, () => env.patient.get(env.target.url('/hold')));
  await env.target.waitFor(({ inFlight }) => inFlight === 5);

  const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
  const second = await PatientWorker.create({
    connection,
    taskQueue: env.taskQueue,
    workflowBundle: env.workflowBundle,
    allowPrivateAddresses: true,
  });
  const running = second.run();
  const responses = await Promise.all(
    Array.from({ length: 20 }, () => env.patient.get(env.target.url('/delay/1'))),
  );
  expect(responses).toHaveLength(20);
  expect(env.worker.processor.inFlight).toBe(5);

  env.target.release();
  await Promise.all(held);
  await second.shutdown();
  await running;
  await connection.close();
});

test('chunks of a batch that one full worker has no room for go to another', async () => {
  await using env = await startEnvironment({ maxConnections: 5 });
  const { target } = env;
  const batch = env.patient.batch({
    requests: Array.from({ length: 400 }, () => target.url('/hold')),
    chunkSize: 20,
    concurrency: 20,
    keep: 'status',
  });
  await target.waitFor(({ held }) => held === 5);
  await using second = await startSecondWorker(env, { maxConnections: 5 });
  await target.waitFor(({ held }) => held === 10);
  // What waits here is a few rounds of its places, not the batch.
  expect(env.worker.processor.total).toBeLessThanOrEqual(5 + 10 + 20);
  await expect.poll(() => second.worker.processor.total).toBeGreaterThan(15);
  const single = env.patient.get(target.url('/status/200'));
  const releasing = setInterval(() => target.release(), 20);
  expect((await single).status).toBe(200);
  const { succeeded } = await batch;
  clearInterval(releasing);
  expect(succeeded).toBe(400);
  expect(target.total).toBe(401);
  expect(target.peak).toBe(10);
});

test('one connection is enough', async () => {
  await using env = await startEnvironment({ maxConnections: 1 });
  const url = env.target.url('/delay/5');
  await Promise.all(Array.from({ length: 10 }, () => env.patient.get(url)));
  expect(env.target.peak).toBe(1);
});

test('a request id given twice is one request, also while it runs', async () => {
  await using env = await startEnvironment();
  const requestId = randomUUID();
  const url = env.target.url('/hold');
  const first = await env.patient.submit.get(url, { requestId });
  const second = await env.patient.submit.get(url, { requestId });
  await env.target.waitFor(({ inFlight }) => inFlight === 1);
  env.target.release();
  expect(await first.result()).toEqual(await second.result());
  const third = await env.patient.submit.get(url, { requestId });
  expect(await third.result()).toMatchObject({ status: 200, requestId });
  expect(env.target.total).toBe(1);
});
