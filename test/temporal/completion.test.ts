import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as delay } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { expect, inject, test } from 'vitest';
import type { ProcessorObserver } from '../../src/index.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { waitFor } from '../support/wait-for.ts';
import { failureOf } from './support/outcomes.ts';
import { startFreezingProxy } from './support/freezing-proxy.ts';

const MIB = 1024 * 1024;

test('a response that Temporal could not hold is a clear failure, and sent once', async () => {
  const told: string[] = [];
  const observer: ProcessorObserver = {
    requestResponse: (_, { status }) => void told.push(String(status)),
    requestError: (_, { type }) => void told.push(type),
    responseReplaced: (_, { type }) => void told.push(`${type} instead`),
  };
  const observers = [observer];
  await using env = await startEnvironment({ maxResponseSize: 4 * MIB, observers });
  const fits = await env.patient.get(env.target.url(`/bytes/${2 * MIB - 32 * 1024}`));
  expect(fits.text()).toHaveLength(2 * MIB - 32 * 1024);

  const failure = await failureOf(env.patient.get(env.target.url(`/bytes/${2 * MIB}?secret=1`)));
  expect(failure).toMatchObject({ type: 'ResponseTooLargeError', phase: 'sent', attempt: 1 });
  expect(failure.message).toMatch(/^HTTP 200 response of 209\d{4} bytes .* 2080\d{3} bytes/);
  expect(JSON.stringify(failure)).not.toContain('secret');
  expect(env.target.count(`/bytes/${2 * MIB}`)).toBe(1);

  // What the callback gets beside the response needs its room too.
  const callbackArgs = { note: 'x'.repeat(64 * 1024) };
  const tight = env.patient.get(env.target.url(`/bytes/${2 * MIB - 32 * 1024}`), { callbackArgs });
  expect(await failureOf(tight)).toMatchObject({ type: 'ResponseTooLargeError' });

  // Whoever counts is told what was delivered, too.
  const statistics = await waitFor(async () => {
    const { totals } = await env.worker.fleet.statistics();
    return totals.requests === 3 && totals.errors === 2 ? totals : undefined;
  });
  expect(statistics).toMatchObject({
    ...{ errorsByType: { ResponseTooLargeError: 2 }, statuses: { 200: 3 } },
  });
  const [failed] = await env.worker.fleet.failures();
  expect(failed).toMatchObject({ type: 'ResponseTooLargeError', method: 'GET' });
  const replaced = ['200', 'ResponseTooLargeError instead'];
  expect(told).toEqual(['200', ...replaced, ...replaced]);
});

test('nothing of the activity that submitted a request is around while it runs', async () => {
  const inside: string[] = [];
  const seen = new Set<string>();
  const look = (place: string): void => {
    seen.add(place);
    try {
      Context.current();
      inside.push(place);
    } catch {
      // As it should be: there is no activity.
    }
  };
  const observer: Required<ProcessorObserver> = {
    start: () => look('start'),
    stop: () => look('stop'),
    capacityReached: () => look('capacityReached'),
    requestStart: () => {
      look('requestStart');
      setImmediate(look, 'a timer of an observer');
    },
    requestResponse: () => look('requestResponse'),
    requestError: () => look('requestError'),
    responseReplaced: () => look('responseReplaced'),
    requestEnd: () => look('requestEnd'),
  };
  // undici tells of these from inside the transport's own calls.
  const channels = ['undici:request:create', 'undici:client:connected', 'undici:request:headers'];
  const onMessage = (_: unknown, name: string | symbol): void => look(String(name));
  for (const channel of channels) subscribe(channel, onMessage);
  try {
    await using env = await startEnvironment({
      ...{ maxConnections: 1, maxResponseSize: 4 * MIB },
      observers: [observer],
    });
    await Promise.all([
      env.patient.get(env.target.url('/delay/50')),
      env.patient.post(env.target.url('/delay/50')),
      failureOf(env.patient.post(env.target.url('/reset'))),
      failureOf(env.patient.get(env.target.url(`/bytes/${2 * MIB}`))),
    ]);
    const handle = await env.patient.submit.get(env.target.url('/hold'));
    await env.target.waitFor(({ inFlight }) => inFlight === 1);
    await handle.cancel();
    await handle.result().catch(() => undefined);
  } finally {
    for (const channel of channels) unsubscribe(channel, onMessage);
  }
  expect([...seen].toSorted()).toEqual(
    [...Object.keys(observer), 'a timer of an observer', ...channels].toSorted(),
  );
  expect(inside).toEqual([]);
});

test('a heartbeat that was due while Temporal got the mark does not take it back', async () => {
  await using proxy = await startFreezingProxy(inject('temporalAddress'));
  await using env = await startEnvironment({ address: proxy.address });
  const workflowId = randomUUID();
  const spec = { url: env.target.url('/hold'), method: 'POST', heartbeatTimeout: '3s' };
  const response = env.run('inlineRequest', [spec, env.taskQueue], workflowId);
  await env.target.waitFor(({ connections }) => connections === 1);
  // The mark is on its way; the first heartbeat comes a third of its timeout after the start.
  proxy.freeze();
  await delay(1_300);
  expect(env.target.total).toBe(0);
  proxy.thaw();
  await env.target.waitFor(({ inFlight }) => inFlight === 1);
  const progress = await progressOverBeats(env, workflowId, 2);
  expect(progress.filter(({ sent }) => !sent)).toEqual([]);
  env.target.release();
  expect(await response).toMatchObject({ status: 200 });
});

/** Every progress that Temporal has until so many more heartbeats have come. */
async function progressOverBeats(env: Environment, workflowId: string, beats: number) {
  const handle = env.client.workflow.getHandle(workflowId);
  const seen: { sent: boolean }[] = [];
  const times = new Set<string>();
  while (times.size <= beats) {
    const { raw } = await handle.describe();
    const activity = raw.pendingActivities?.[0];
    const data = activity?.heartbeatDetails?.payloads?.[0]?.data;
    if (data) seen.push(JSON.parse(Buffer.from(data).toString()));
    times.add(JSON.stringify(activity?.lastHeartbeatTime));
  }
  return seen;
}
